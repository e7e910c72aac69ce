using System.Globalization;
using Layerbox.Compression;

namespace Layerbox.RpmSnapshot;

/// <summary>The body of an answer: as long as it said, in chunks, or up to the connection's end.</summary>
internal sealed class HttpBody(HttpConnection connection, HttpConnection.Response response) : ReadOnlyStream
{
    private long _rest = response.IsChunked ? 0 : response.Length ?? long.MaxValue;
    private long _read;
    private bool _isStarted, _isDone;

    /// <exception cref="RepoFetchException">It ends too early.</exception>
    public override int Read(Span<byte> buffer)
    {
        if (buffer.IsEmpty || _isDone)
            return 0;
        if (_rest == 0 && (!response.IsChunked || !NextChunk()))
        {
            End(response.IsKept);
            return 0;
        }
        int count = connection.Read(buffer.Length > _rest ? buffer[..(int)_rest] : buffer);
        if (count == 0 && !response.IsChunked && response.Length is null)
        {
            End(isKept: false);
            return 0;
        }
        if (count == 0)
            throw new RepoFetchException(
                response.Length is { } all && !response.IsChunked ? string.Create(CultureInfo.InvariantCulture, $"the connection ended after {_read} of {all} bytes") : "the connection ended amid the file",
                isPassing: true);
        _read += count;
        _rest -= count;
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        if (!_isDone)
            connection.Close();
        _isDone = true;
        base.Dispose(disposing);
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
        connection.Done(isKept);
    }
}
