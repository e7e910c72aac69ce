using System.Globalization;
using Layerbox.Compression;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>The body of an answer: as long as it said, in chunks, or up to the connection's end.</summary>
internal sealed class HttpBody(ServerConnection connection, HttpHead head) : ReadOnlyStream
{
    private long _rest = head.IsChunked || head.HasNoBody ? 0 : head.Length ?? long.MaxValue;
    private long _read;
    private bool _isStarted, _isDone;

    /// <exception cref="RepoFetchException">It ends too early.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty || _isDone)
            return 0;
        if (_rest == 0 && (!head.IsChunked || !NextChunk()))
        {
            End(head.IsKept);
            return 0;
        }
        int count = connection.Read(buffer.Length > _rest ? buffer[..(int)_rest] : buffer);
        if (count == 0 && !head.IsChunked && head.Length is null)
        {
            End(isKept: false);
            return 0;
        }
        if (count == 0)
            throw new RepoFetchException(
                head.Length is { } all ? string.Create(CultureInfo.InvariantCulture, $"the connection ended after {_read} of {all} bytes") : "the connection ended amid the file",
                isPassing: true);
        _read += count;
        _rest -= count;
        return count;
    }

    /// <summary>What was not read of it costs the connection, unless it is little.</summary>
    protected override void Dispose(bool disposing)
    {
        if (!_isDone)
            connection.End(isKept: false);
        _isDone = true;
        base.Dispose(disposing);
    }

    /// <summary>Reads a small rest of no interest, so that the connection can be kept.</summary>
    public void Skip()
    {
        const int Most = 16 * 1024;
        Span<byte> rest = stackalloc byte[4096];
        if (head is { IsChunked: false, Length: null or > Most, HasNoBody: false })
            return;
        for (int skipped = 0; skipped < Most && Read(rest) is var count and > 0; skipped += count)
        {
        }
    }

    private bool NextChunk()
    {
        int read = 0;
        if (_isStarted && connection.ReadLine(ref read).Length > 0)
            throw new RepoFetchException("the server's chunks are malformed");
        _isStarted = true;
        string size = connection.ReadLine(ref read).Split(';')[0].Trim();
        if (!long.TryParse(size, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _rest) || _rest < 0)
            throw new RepoFetchException("the server's chunks are malformed");
        if (_rest > 0)
            return true;
        while (connection.ReadLine(ref read).Length > 0)
        {
        }
        return false;
    }

    private void End(bool isKept)
    {
        _isDone = true;
        connection.End(isKept);
    }
}
