#if LAYERBOX_TESTS
namespace Layerbox.Tests;
#else
namespace Layerbox;
#endif

/// <summary>Sequences out of nothing, as System.Linq's class of this name has them (see <see cref="PlainSequences"/>).</summary>
internal static class Enumerable
{
    public static IEnumerable<int> Range(int start, int count)
    {
        for (int i = 0; i < count; i++)
            yield return start + i;
    }

    public static IEnumerable<T> Repeat<T>(T element, int count)
    {
        for (int i = 0; i < count; i++)
            yield return element;
    }

    public static IEnumerable<T> Empty<T>() => [];

    public static IEnumerable<T> Reverse<T>(IEnumerable<T> source) => PlainSequences.Reverse(source);
}
