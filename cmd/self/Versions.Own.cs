using System.Reflection;

namespace Layerbox.Cmd;

internal static partial class Versions
{
    public static string Own => ThreeParts(typeof(Versions).Assembly);

    private static string ThreeParts(Assembly assembly) => assembly.GetName().Version!.ToString(3);
}
