using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Files by HTTP/1.1 (RFC 9110, 9112): GET over one connection that is kept as long as the server keeps it. A client of our own: what is asked of it is
/// little, and every byte is compared with a checksum afterwards.
/// </summary>
internal sealed class HttpConnection(CancellationToken cancellation) : RepoConnection
{
    private const int MaxRedirects = 5;
    private const int MaxHeader = 64 * 1024;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly byte[] _buffer = new byte[128 * 1024];
    private int _start, _end;
    private Socket? _socket;
    private CancellationTokenRegistration _onCancel;
    private string? _server;

    public override Stream Get(RepoUrl url, out long? length)
    {
        for (int redirects = 0; ; redirects++)
        {
            Response response = Ask(url);
            if (response.Status is >= 300 and < 400 && response.Location is { } location)
            {
                Close();
                if (redirects == MaxRedirects)
                    throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"redirected more than {MaxRedirects} times"));
                try
                {
                    url = url.Redirect(location);
                }
                catch (FormatException e)
                {
                    throw new RepoFetchException($"redirected: {e.Message}", isPassing: false, e);
                }
                continue;
            }
            if (response.Status != 200)
            {
                Close();
                bool isPassing = response.Status is 408 or 425 or 429 or >= 500 and not 501 and not 505;
                throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"the server says {response.Status} {response.Reason}").TrimEnd(), isPassing);
            }
            length = response.IsChunked ? null : response.Length;
            return new HttpBody(this, response);
        }
    }

    public override void Dispose()
    {
        Close();
        base.Dispose();
    }

    /// <summary>What the head of an answer says.</summary>
    internal sealed record Response(int Status, string Reason)
    {
        public string? Location { get; set; }
        public long? Length { get; set; }
        public bool IsChunked { get; set; }
        public bool IsKept { get; set; }
    }

    private Response Ask(RepoUrl url)
    {
        // A server may close a connection that it kept just when we use it again; then it has not seen the request.
        bool isUsed = _socket is not null && _server == url.Server;
        try
        {
            return AskOnce(url);
        }
        catch (RepoFetchException e) when (isUsed && e.IsPassing && !cancellation.IsCancellationRequested)
        {
            Close();
            return AskOnce(url);
        }
    }

    private Response AskOnce(RepoUrl url)
    {
        if (_server != url.Server)
            Close();
        if (_socket is null)
            Connect(url);
        string request = $"GET {url.Path} HTTP/1.1\r\nHost: {url.Server}\r\nUser-Agent: layerbox\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n";
        Try(() =>
        {
            ReadOnlySpan<byte> rest = Encoding.Latin1.GetBytes(request);
            while (!rest.IsEmpty)
                rest = rest[_socket!.Send(rest)..];
            return 0;
        });
        Response response;
        do
            response = ReadHead();
        while (response.Status is >= 100 and < 200);
        return response;
    }

    private void Connect(RepoUrl url)
    {
        string host = url.Host!.Trim('[', ']');
        Try(() =>
        {
            Exception? last = null;
            foreach (IPAddress address in IPAddress.TryParse(host, out IPAddress? literal) ? [literal] : Dns.GetHostAddresses(host))
            {
                Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                    limit.CancelAfter(s_patience);
                    socket.ConnectAsync(new IPEndPoint(address, url.Port), limit.Token).AsTask().GetAwaiter().GetResult();
                    socket.ReceiveTimeout = socket.SendTimeout = (int)s_patience.TotalMilliseconds;
                    (_socket, _server, _start, _end) = (socket, url.Server, 0, 0);
                    // A thread that waits for bytes looks at no token.
                    _onCancel = cancellation.Register(socket.Dispose);
                    return 0;
                }
                catch (Exception e) when (e is SocketException or OperationCanceledException)
                {
                    socket.Dispose();
                    cancellation.ThrowIfCancellationRequested();
                    last = e is SocketException ? e : new SocketException((int)SocketError.TimedOut);
                }
            }
            throw last ?? new SocketException((int)SocketError.HostNotFound);
        });
    }

    private Response ReadHead()
    {
        int read = 0;
        string line = ReadLine(ref read);
        string[] parts = line.Split(' ', 3);
        if (parts.Length < 2 || !parts[0].StartsWith("HTTP/1.", StringComparison.Ordinal) || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int status) || status is < 100 or > 599)
            throw new RepoFetchException("the server's answer is not HTTP");
        Response response = new(status, parts.Length > 2 ? parts[2] : "") { IsKept = parts[0] != "HTTP/1.0" };
        while ((line = ReadLine(ref read)).Length > 0)
        {
            int colon = line.IndexOf(':');
            if (colon <= 0)
                throw new RepoFetchException("the server's answer is not HTTP: a header line without a colon");
            string value = line[(colon + 1)..].Trim();
            switch (line[..colon].ToLowerInvariant())
            {
                case "content-length":
                    if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long length) || (response.Length is { } other && other != length))
                        throw new RepoFetchException($"the server's Content-Length '{value}' is wrong");
                    response.Length = length;
                    break;
                case "transfer-encoding":
                    if (!value.Equals("chunked", StringComparison.OrdinalIgnoreCase))
                        throw new RepoFetchException($"the server's Transfer-Encoding '{value}' is not known");
                    response.IsChunked = true;
                    break;
                case "content-encoding":
                    if (!value.Equals("identity", StringComparison.OrdinalIgnoreCase) && status == 200 && value.Length > 0 && value is not "x-gzip" and not "gzip")
                        throw new RepoFetchException($"the server's Content-Encoding '{value}' was not asked for");
                    break;
                case "connection":
                    response.IsKept = !value.Contains("close", StringComparison.OrdinalIgnoreCase) && (response.IsKept || value.Contains("keep-alive", StringComparison.OrdinalIgnoreCase));
                    break;
                case "location":
                    response.Location = value;
                    break;
            }
        }
        return response;
    }

    /// <summary>A line of a head or of a chunk, without its end.</summary>
    internal string ReadLine(ref int read)
    {
        StringBuilder line = new();
        while (true)
        {
            if (_start == _end && Fill() == 0)
                throw new RepoFetchException("the server closed the connection", isPassing: true);
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

    internal int Read(Span<byte> into)
    {
        if (_start == _end && Fill() == 0)
            return 0;
        int count = Math.Min(into.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(into);
        _start += count;
        return count;
    }

    /// <summary>The body was read to its end.</summary>
    internal void Done(bool isKept)
    {
        if (!isKept || _start != _end)
            Close();
    }

    internal void Close()
    {
        _onCancel.Dispose();
        _socket?.Dispose();
        (_socket, _server) = (null, null);
    }

    private int Fill()
    {
        _start = _end = 0;
        return _end = Try(() => _socket!.Receive(_buffer));
    }

    private int Try(Func<int> act)
    {
        try
        {
            return act();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Close();
            cancellation.ThrowIfCancellationRequested();
            SocketError error = (e as SocketException)?.SocketErrorCode ?? SocketError.ConnectionAborted;
            string reason = error switch
            {
                SocketError.TimedOut or SocketError.WouldBlock => string.Create(CultureInfo.InvariantCulture, $"nothing came for {s_patience.TotalSeconds} seconds"),
                SocketError.ConnectionRefused => "connection refused",
                SocketError.ConnectionReset => "the server broke the connection",
                SocketError.HostNotFound or SocketError.NoData => "no such host",
                _ => $"connection failed: {error}",
            };
            throw new RepoFetchException(reason, error is not (SocketError.HostNotFound or SocketError.NoData), e);
        }
    }
}
