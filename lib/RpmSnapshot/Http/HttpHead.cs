using System.Globalization;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>What the head of an answer says (RFC 9110, 9112).</summary>
internal sealed class HttpHead
{
    private const string NotHttp = "the server's answer is not HTTP";

    private HttpHead(int status, string reason) => (Status, Reason) = (status, reason);

    public int Status { get; }
    public string Reason { get; }

    /// <summary>Bytes of the body; null when that is not said, or it comes in chunks.</summary>
    public long? Length { get; private set; }

    public bool IsChunked { get; private set; }

    /// <summary>Whether the connection stays for another request.</summary>
    public bool IsKept { get; private set; }

    public string? Location { get; private set; }
    public string? ETag { get; private set; }
    public string? LastModified { get; private set; }

    /// <summary>Seconds, or a date, before which it is no use to ask again.</summary>
    public string? RetryAfter { get; private set; }

    /// <summary>Of a part: the offset of its first byte, and the bytes of the whole file where that is known.</summary>
    public (long From, long? All)? Range { get; private set; }

    /// <param name="readLine">Gives the next line, without its end.</param>
    /// <exception cref="RepoFetchException">It is malformed, or not for us.</exception>
    public static HttpHead Read(Func<string> readLine)
    {
        string[] parts = readLine().Split(' ', 3);
        if (parts.Length < 2 || !parts[0].StartsWith("HTTP/1.", StringComparison.Ordinal) || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int status) || status is < 100 or > 599)
            throw new RepoFetchException(NotHttp);
        HttpHead head = new(status, parts.Length > 2 ? parts[2] : "") { IsKept = parts[0] != "HTTP/1.0" };
        while (readLine() is { Length: > 0 } line)
        {
            int colon = line.IndexOf(':');
            if (colon <= 0)
                throw new RepoFetchException($"{NotHttp}: a header line without a colon");
            head.Take(line[..colon].ToLowerInvariant(), line[(colon + 1)..].Trim());
        }
        if (head.IsChunked)
            head.Length = null;
        return head;
    }

    /// <summary>Whether there is no body, whatever the header says (RFC 9112, 6.3).</summary>
    public bool HasNoBody => Status is 204 or 304 or (>= 100 and < 200);

    private void Take(string name, string value)
    {
        switch (name)
        {
            case "content-length":
                if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long length) || (Length is { } other && other != length))
                    throw new RepoFetchException($"the server's Content-Length '{value}' is wrong");
                Length = length;
                break;
            case "transfer-encoding":
                IsChunked = value.Equals("chunked", StringComparison.OrdinalIgnoreCase) ? true : throw new RepoFetchException($"the server's Transfer-Encoding '{value}' is not known");
                break;
            case "content-encoding":
                // Some servers say gzip of files that are so.
                if (Status is 200 or 206 && value.ToLowerInvariant() is not ("identity" or "" or "gzip" or "x-gzip"))
                    throw new RepoFetchException($"the server's Content-Encoding '{value}' was not asked for");
                break;
            case "connection":
                IsKept = !value.Contains("close", StringComparison.OrdinalIgnoreCase) && (IsKept || value.Contains("keep-alive", StringComparison.OrdinalIgnoreCase));
                break;
            case "content-range":
                Range = ParseRange(value) ?? throw new RepoFetchException($"the server's Content-Range '{value}' is wrong");
                break;
            case "location":
                Location = value;
                break;
            case "etag":
                ETag = value;
                break;
            case "last-modified":
                LastModified = value;
                break;
            case "retry-after":
                RetryAfter = value;
                break;
        }
    }

    // "bytes 7-11/12", "bytes 7-11/*", "bytes */12"
    private static (long, long?)? ParseRange(string text)
    {
        const string Unit = "bytes ";
        int dash = text.IndexOf('-'), slash = text.IndexOf('/');
        if (!text.StartsWith(Unit, StringComparison.OrdinalIgnoreCase) || slash < 0)
            return null;
        long? all = long.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long said) ? said : null;
        if (text[Unit.Length] == '*')
            return (-1, all);
        return dash > 0 && dash < slash && long.TryParse(text.AsSpan(Unit.Length, dash - Unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long from) ? (from, all) : null;
    }
}
