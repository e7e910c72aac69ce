using System.Globalization;
using System.Text;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>A connection to a server, or by a proxy to it: requests and answers one after the other.</summary>
/// <param name="channel">Its bytes; this one's from then on.</param>
/// <param name="server">Which server it leads to.</param>
/// <param name="cancellation">Breaks it off.</param>
internal sealed class ServerConnection(Channel channel, string server, CancellationToken cancellation) : IDisposable
{
    private const int MaxHeader = 64 * 1024;

    private readonly byte[] _buffer = new byte[16 * 1024];
    // A thread that waits for bytes looks at no token.
    private readonly CancellationTokenRegistration _onCancel = cancellation.Register(channel.Break);
    private int _start, _end;

    /// <summary>Scheme, host and port of what it leads to.</summary>
    public string Server { get; } = server;

    /// <summary>Whether it was used before.</summary>
    public bool IsUsed { get; private set; }

    /// <summary>Whether another request can be sent; not while a body is being read.</summary>
    public bool IsOpen { get; private set; } = true;

    /// <summary>Done when it is closed.</summary>
    public Action? Closed { get; init; }

    /// <summary>Sends a request and waits for the head of its answer.</summary>
    public HttpHead Ask(string request)
    {
        HttpHead head;
        Send(Encoding.Latin1.GetBytes(request));
        do
        {
            int read = 0;
            head = HttpHead.Read(() => ReadLine(ref read));
        }
        while (head.Status is >= 100 and < 200);
        IsUsed = true;
        return head;
    }

    /// <summary>A line of a head or of a chunk, without its end.</summary>
    /// <param name="read">Bytes of such lines so far, which are limited.</param>
    public string ReadLine(ref int read)
    {
        StringBuilder line = new();
        while (true)
        {
            if (_start == _end && Fill() == 0)
                throw new RepoFetchException("the server closed the connection", isPassing: true) { IsBreak = true };
            ReadOnlySpan<byte> there = _buffer.AsSpan(_start, _end - _start);
            int newline = there.IndexOf((byte)'\n');
            ReadOnlySpan<byte> part = newline < 0 ? there : there[..newline];
            line.Append(Encoding.Latin1.GetString(part));
            read += part.Length + 1;
            _start += newline < 0 ? part.Length : part.Length + 1;
            if (read > MaxHeader)
                throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"the head of the server's answer has more than {MaxHeader} bytes"));
            if (newline >= 0)
                return line.ToString().TrimEnd('\r');
        }
    }

    /// <summary>Bytes of a body; 0 at the connection's end.</summary>
    public int Read(Span<byte> into)
    {
        if (_start == _end)
            return Receive(into);
        int count = Math.Min(into.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(into);
        _start += count;
        return count;
    }

    /// <summary>The body was read to its end.</summary>
    /// <param name="isKept">Whether the server keeps the connection.</param>
    public void End(bool isKept)
    {
        if (!isKept || _start != _end)
            Dispose();
    }

    public void Dispose()
    {
        if (!IsOpen)
            return;
        IsOpen = false;
        _onCancel.Dispose();
        channel.Dispose();
        Closed?.Invoke();
    }

    private int Fill()
    {
        _start = 0;
        return _end = Receive(_buffer);
    }

    private int Receive(Span<byte> into)
    {
        try
        {
            int count = channel.Read(into);
            if (count == 0)
                cancellation.ThrowIfCancellationRequested();
            return count;
        }
        catch (RepoFetchException)
        {
            Break();
            throw;
        }
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            channel.Write(bytes);
        }
        catch (RepoFetchException)
        {
            Break();
            throw;
        }
    }

    private void Break()
    {
        Dispose();
        cancellation.ThrowIfCancellationRequested();
    }
}
