using System.Text;
using Layerbox.Nspawn;

namespace Layerbox.Cmd.Containers;

/// <summary>SRC:DST[:ro] as it is written on command lines; a colon or backslash in a path has a backslash before it.</summary>
internal static class BindText
{
    public static ContainerBind Parse(string text) => Split(text) switch
    {
        [{ Length: > 0 } source, { Length: > 0 } destination] => new ContainerBind(source, destination, ReadOnly: false),
        [{ Length: > 0 } source, { Length: > 0 } destination, "ro"] => new ContainerBind(source, destination, ReadOnly: true),
        _ => throw new UsageException($"option '--bind': expected SRC:DST or SRC:DST:ro, found '{text}'"),
    };

    private static List<string> Split(string text)
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
