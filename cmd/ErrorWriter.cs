using System.Text;

namespace Layerbox.Cmd;

/// <summary>
/// Standard error as text. Each line is one write(2), so lines of several processes do not mix; and when it cannot be written, nobody
/// is left to be told: the tool goes on and its exit status speaks.
/// </summary>
internal sealed class ErrorWriter(Stream stream) : TextWriter
{
    private readonly StringBuilder _line = new();

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => Write([value]);

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> text)
    {
        lock (_line)
        {
            _line.Append(text);
            if (text.Contains('\n'))
                Flush();
        }
    }

    public override void WriteLine(string? value) => Write($"{value}\n");

    /// <summary>Writes what is not yet a whole line.</summary>
    public override void Flush()
    {
        lock (_line)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(_line.ToString());
            _line.Clear();
            try
            {
                stream.Write(bytes);
            }
            catch (IOException)
            {
            }
        }
    }
}
