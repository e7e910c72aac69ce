using System.Buffers;
using System.Text;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>The head of a request of HTTP/1.x (RFC 9112), as far as a server of files looks at it.</summary>
/// <param name="Method">As it was sent.</param>
/// <param name="Target">What is asked for: a path with percent signs, without what follows a question mark.</param>
internal sealed record HttpRequest(string Method, string Target)
{
    /// <summary>Bytes of the longest head that is read.</summary>
    public const int MaxHead = 64 * 1024;

    private const int MaxTarget = 16 * 1024;

    private static readonly SearchValues<byte> s_token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);

    /// <summary>Whether the connection may be used for another request.</summary>
    public bool IsKept { get; private set; }

    /// <summary>Whether the client speaks HTTP/1.0, and must be told that it is.</summary>
    public bool IsOld { get; private init; }

    public string? Range { get; private set; }

    public string? IfRange { get; private set; }

    public string? IfNoneMatch { get; private set; }

    public bool IsHead => Method == "HEAD";

    /// <summary>Reads a head.</summary>
    /// <param name="bytes">What came so far.</param>
    /// <param name="request">The request; null unless the status is 200.</param>
    /// <param name="length">The bytes of the head.</param>
    /// <returns>200, the status of an error, or 0: its end has not come yet.</returns>
    public static int Read(ReadOnlySpan<byte> bytes, out HttpRequest? request, out int length)
    {
        request = null;
        int start = 0;
        // RFC 9112, 2.2: an empty line before a request is what some clients send after the body of the one before.
        while (start < bytes.Length && bytes[start] is (byte)'\r' or (byte)'\n')
            start++;
        length = start;
        ReadOnlySpan<byte> rest = bytes[start..];
        int end = EndOf(rest);
        if (end < 0 || end > MaxHead)
            return rest.Length > MaxHead ? 431 : 0;
        length = start + end;
        rest = rest[..end];
        int status = ReadRequestLine(NextLine(ref rest), out request);
        if (status != 200)
            return status;
        return request!.ReadFields(rest);
    }

    // An empty line ends a head; its lines may end without CR.
    private static int EndOf(ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; bytes[at..].IndexOf((byte)'\n') is var newline and >= 0;)
        {
            at += newline + 1;
            ReadOnlySpan<byte> next = bytes[at..];
            if (next is [(byte)'\n', ..])
                return at + 1;
            if (next is [(byte)'\r', (byte)'\n', ..])
                return at + 2;
        }
        return -1;
    }

    private static ReadOnlySpan<byte> NextLine(scoped ref ReadOnlySpan<byte> rest)
    {
        int newline = rest.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = rest[..newline];
        rest = rest[(newline + 1)..];
        return line is [.. var start, (byte)'\r'] ? start : line;
    }

    private static int ReadRequestLine(ReadOnlySpan<byte> line, out HttpRequest? request)
    {
        request = null;
        int first = line.IndexOf((byte)' '), last = line.LastIndexOf((byte)' ');
        if (first <= 0 || last == first || line[..first].ContainsAnyExcept(s_token))
            return 400;
        ReadOnlySpan<byte> target = line[(first + 1)..last], version = line[(last + 1)..];
        if (!version.StartsWith("HTTP/"u8) || version.Length != 8 || version[6] != '.' || !char.IsAsciiDigit((char)version[5]) || !char.IsAsciiDigit((char)version[7]))
            return 400;
        if (version[5] != '1')
            return 505;
        if (target.Length > MaxTarget)
            return 414;
        // Only what can be printed on one line gets any further.
        if (target.ContainsAnyInRange((byte)0, (byte)' ') || target.ContainsAnyInRange((byte)0x7F, (byte)0xFF))
            return 400;
        bool isOld = version[7] == '0';
        request = new HttpRequest(Encoding.ASCII.GetString(line[..first]), PathOf(Encoding.ASCII.GetString(target))) { IsOld = isOld, IsKept = !isOld };
        return 200;
    }

    private static string PathOf(string target)
    {
        // RFC 9112, 3.2.2: a server must take whole URLs, too.
        if (target.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
        {
            int slash = target.IndexOfAny(['/', '?'], "http://".Length);
            target = slash < 0 ? "/" : target[slash..];
        }
        int end = target.AsSpan().IndexOfAny('?', '#');
        return end < 0 ? target : target[..end];
    }

    private int ReadFields(ReadOnlySpan<byte> rest)
    {
        bool hasHost = false, isClosed = false, isKeptAlive = false;
        for (ReadOnlySpan<byte> line; (line = NextLine(ref rest)).Length > 0;)
        {
            int colon = line.IndexOf((byte)':');
            if (colon <= 0 || line[..colon].ContainsAnyExcept(s_token))
                return 400;
            ReadOnlySpan<byte> name = line[..colon], value = line[(colon + 1)..].Trim(" \t"u8);
            if (value.ContainsAny((byte)'\0', (byte)'\r'))
                return 400;
            if (Ascii.EqualsIgnoreCase(name, "Host"u8))
            {
                if (hasHost)
                    return 400;
                hasHost = true;
            }
            else if (Ascii.EqualsIgnoreCase(name, "Range"u8))
                Range = Encoding.Latin1.GetString(value);
            else if (Ascii.EqualsIgnoreCase(name, "If-Range"u8))
                IfRange = Encoding.Latin1.GetString(value);
            else if (Ascii.EqualsIgnoreCase(name, "If-None-Match"u8))
                IfNoneMatch = IfNoneMatch is null ? Encoding.Latin1.GetString(value) : $"{IfNoneMatch},{Encoding.Latin1.GetString(value)}";
            else if (Ascii.EqualsIgnoreCase(name, "Connection"u8))
            {
                string text = Encoding.Latin1.GetString(value);
                isClosed |= text.Contains("close", StringComparison.OrdinalIgnoreCase);
                isKeptAlive |= text.Contains("keep-alive", StringComparison.OrdinalIgnoreCase);
            }
            // What follows the head then is not the next request.
            else if (Ascii.EqualsIgnoreCase(name, "Transfer-Encoding"u8) || (Ascii.EqualsIgnoreCase(name, "Content-Length"u8) && !value.SequenceEqual("0"u8)))
                isClosed = true;
        }
        if (!hasHost && !IsOld)
            return 400;
        IsKept = !isClosed && (IsKept || isKeptAlive);
        return 200;
    }
}
