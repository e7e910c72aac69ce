using System.Globalization;
using System.Text;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>Writes heads of answers into memory that is used again for each. For one thread.</summary>
internal sealed class AnswerHead(TimeProvider clock)
{
    private const int MaxHead = 2048;

    private readonly byte[] _buffer = new byte[MaxHead];
    private readonly byte[] _date = new byte[64];
    private int _length, _dateLength;
    private long _second = -1;

    /// <summary>What was written.</summary>
    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, _length);

    public static string ReasonOf(int status) => status switch
    {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };

    /// <summary>Begins the head of an answer.</summary>
    /// <param name="status">Its status.</param>
    /// <param name="isKept">Whether the connection goes on.</param>
    /// <param name="isOld">Whether an HTTP/1.0 client asks.</param>
    public void Start(int status, bool isKept, bool isOld)
    {
        _length = 0;
        Add("HTTP/1.1 "u8);
        Add(status);
        Add(" "u8);
        if (status == 200)
            Add("OK"u8);
        else
            Add(ReasonOf(status));
        Add("\r\nServer: layerbox\r\nDate: "u8);
        AddDate();
        if (!isKept)
            Add("\r\nConnection: close"u8);
        else if (isOld)
            Add("\r\nConnection: keep-alive"u8);
    }

    public void Field(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Add("\r\n"u8);
        Add(name);
        Add(": "u8);
        Add(value);
    }

    public void Field(ReadOnlySpan<byte> name, long value)
    {
        Add("\r\n"u8);
        Add(name);
        Add(": "u8);
        Add(value);
    }

    /// <summary>The header Content-Range.</summary>
    /// <param name="range">Null: there is no such part.</param>
    /// <param name="size">Bytes of the whole.</param>
    public void ContentRange(ByteRange? range, long size)
    {
        Add("\r\nContent-Range: bytes "u8);
        if (range is { } part)
        {
            Add(part.Start);
            Add("-"u8);
            Add(part.End - 1);
        }
        else
            Add("*"u8);
        Add("/"u8);
        Add(size);
    }

    /// <summary>The header ETag: a file's digest says all that there is to say of its content.</summary>
    public void ETag(string digest)
    {
        Add("\r\nETag: \""u8);
        Add(digest);
        Add("\""u8);
    }

    public void End() => Add("\r\n\r\n"u8);

    private void Add(ReadOnlySpan<byte> text)
    {
        text.CopyTo(_buffer.AsSpan(_length));
        _length += text.Length;
    }

    private void Add(string text) => _length += Encoding.ASCII.GetBytes(text, _buffer.AsSpan(_length));

    private void Add(long number)
    {
        number.TryFormat(_buffer.AsSpan(_length), out int written, default, CultureInfo.InvariantCulture);
        _length += written;
    }

    private void AddDate()
    {
        long second = clock.GetUtcNow().ToUnixTimeSeconds();
        if (second != _second)
        {
            _second = second;
            _dateLength = Encoding.ASCII.GetBytes(DateTimeOffset.FromUnixTimeSeconds(second).ToString("r", CultureInfo.InvariantCulture), _date);
        }
        Add(_date.AsSpan(0, _dateLength));
    }
}
