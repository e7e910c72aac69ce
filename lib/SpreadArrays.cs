namespace System.Linq;

/// <summary>
/// The compiler makes the array of <c>[.. sequence]</c> by calling ToArray of the type with this name, and looks for it here before it looks into
/// the framework, whose ToArray brings a pool of arrays for each type of element.
/// </summary>
internal static class Enumerable
{
    public static T[] ToArray<T>(IEnumerable<T> source) => Layerbox.PlainSequences.ToArray(source);
}
