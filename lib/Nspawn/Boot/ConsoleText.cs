using System.Text;
using Layerbox.Posix;

namespace Layerbox.Nspawn.Boot;

/// <summary>Text that was meant for a terminal.</summary>
internal static class ConsoleText
{
    private const char Escape = '\x1B', Bell = '\a';

    // RI of ECMA-48: up a line, to write it anew.
    private const string LineUp = "\x1BM";

    /// <summary>
    /// The lines that are left of a text, without the empty ones. systemd shows what it waits for in one line that it overwrites twice a second, which
    /// would soon be all that there is.
    /// </summary>
    public static List<string> Lines(string text)
    {
        List<string> lines = [];
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(LineUp, StringComparison.Ordinal) && lines.Count > 0)
                lines.RemoveAt(lines.Count - 1);
            if (Clean(line) is { Length: > 0 } clean)
                lines.Add(clean);
        }
        return lines;
    }

    /// <summary>The line without colours, titles and other sequences (ECMA-48), and without control characters.</summary>
    public static string Clean(string line)
    {
        StringBuilder text = new(line.Length);
        for (int i = 0; i < line.Length; i++)
        {
            if (line[i] == Escape)
                i = EndOfSequence(line, i + 1);
            else if (!char.IsControl(line[i]))
                text.Append(line[i]);
        }
        return PathText.Printable(text.ToString().Trim());
    }

    // CSI: parameters up to a letter; OSC: a text up to BEL or ESC \; else one character.
    private static int EndOfSequence(string line, int at)
    {
        if (at >= line.Length)
            return line.Length;
        if (line[at] == ']')
        {
            int end = line.AsSpan(at).IndexOfAny(Bell, Escape);
            return end < 0 ? line.Length : line[at + end] == Escape ? at + end + 1 : at + end;
        }
        if (line[at] != '[')
            return at;
        for (at++; at < line.Length && line[at] is < '@' or > '~'; at++)
        {
        }
        return at;
    }
}
