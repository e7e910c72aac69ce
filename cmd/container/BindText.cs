using System.Text;
using Layerbox.Nspawn;

namespace Layerbox.Cmd.Containers;

/// <summary>SRC:DST[:ro][:try][:norec][:idmap] as it is written on command lines; a colon or backslash in a path has a backslash before it.</summary>
internal static class BindText
{
    private const string ReadOnly = "ro", Optional = "try", NotRecursive = "norec", KeepsOwners = "idmap";

    public static ContainerBind Parse(string text) => Split(text) switch
    {
        [{ Length: > 0 } source, { Length: > 0 } destination, .. var options] when options.All(option => option is ReadOnly or Optional or NotRecursive or KeepsOwners) =>
            new ContainerBind(source, destination, options.Contains(ReadOnly)) { IsOptional = options.Contains(Optional), IsRecursive = !options.Contains(NotRecursive), KeepsOwners = options.Contains(KeepsOwners) },
        _ => throw new UsageException($"option '--bind': expected SRC:DST, which :ro, :try, :norec and :idmap may follow, found '{text}'"),
    };

    private static string[] Split(string text)
    {
        List<string> parts = [];
        StringBuilder part = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
                part.Append(text[++i]);
            else if (text[i] != ':')
                part.Append(text[i]);
            else
            {
                parts.Add(part.ToString());
                part.Clear();
            }
        }
        return [.. parts, part.ToString()];
    }
}
