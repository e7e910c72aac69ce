using System.Net;
using System.Net.Sockets;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>Makes connections to the servers of one repository, for any thread.</summary>
internal sealed class Connector(ConnectionSettings settings, Transport transport, CancellationToken cancellation) : IDisposable
{
    private readonly Lock _lock = new();
    private TlsContext? _tls;

    public ConnectionSettings Settings { get; } = settings;

    public CancellationToken Cancellation { get; } = cancellation;

    /// <summary>Connects to the server of a URL, or to the proxy that it is asked through.</summary>
    /// <param name="beforeWaiting">Called when there are as many connections to that server as there may be: closes those that are not in use.</param>
    /// <exception cref="RepoFetchException">It cannot be reached, or is not the one it should be.</exception>
    /// <exception cref="IOException">The settings cannot be used.</exception>
    public ServerConnection Connect(RepoUrl url, Action beforeWaiting)
    {
        Proxy? proxy = Proxy.For(url, Settings);
        TlsContext? tls = url.IsTls ? Tls() : null;
        Action leave = transport.Places.Take(url.Origin, beforeWaiting, Cancellation);
        try
        {
            SafeFileHandle socket = ConnectTcp(proxy?.Url ?? url);
            if (tls is not null && proxy is not null)
                Tunnel(socket, url, proxy);
            Channel channel;
            // Whoever waits for the other side's part of the handshake looks at no token.
            using (Cancellation.Register(() => TcpSockets.Break(socket)))
                channel = tls is null ? new Channel(socket, transport.Patience) : new TlsChannel(socket, tls, url.HostName, transport.Patience);
            return new ServerConnection(channel, url.Origin, Cancellation) { Closed = leave };
        }
        catch
        {
            leave();
            Cancellation.ThrowIfCancellationRequested();
            throw;
        }
    }

    /// <summary>A user as a header names it; null when there is none.</summary>
    public static string? Basic(Credentials? credentials) =>
        credentials is null ? null : $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.User}:{credentials.Password}"))}";

    public void Dispose() => _tls?.Dispose();

    private TlsContext Tls()
    {
        lock (_lock)
            return _tls ??= new TlsContext(Settings);
    }

    private SafeFileHandle ConnectTcp(RepoUrl server)
    {
        RepoFetchException? last = null;
        foreach (IPAddress address in Addresses(server.HostName))
        {
            try
            {
                return TcpSockets.Connect(address, server.Port, transport.Patience, Cancellation);
            }
            catch (PosixException e)
            {
                last = e.Errno == Errno.ETIMEDOUT ? new RepoFetchException("the server does not answer", isPassing: true, e) : Channel.Failure(e.Errno, transport.Patience, e);
            }
        }
        throw last ?? new RepoFetchException("no such host");
    }

    private static IPAddress[] Addresses(string host)
    {
        if (IPAddress.TryParse(host, out IPAddress? literal))
            return [literal];
        try
        {
            return Dns.GetHostAddresses(host);
        }
        catch (SocketException e)
        {
            bool isPassing = e.SocketErrorCode == SocketError.TryAgain;
            throw new RepoFetchException(isPassing ? "no name server answers" : "no such host", isPassing, e);
        }
    }

    /// <summary>Asks a proxy to pass on bytes to the server.</summary>
    private void Tunnel(SafeFileHandle socket, RepoUrl url, Proxy proxy)
    {
        string line = Basic(proxy.Credentials) is { } user ? $"Proxy-Authorization: {user}\r\n" : "";
        // The socket goes on as the server's, unless this fails.
        ServerConnection connection = new(new Channel(socket, transport.Patience), proxy.Url.Origin, Cancellation);
        try
        {
            HttpHead head = connection.Ask($"CONNECT {url.ServerWithPort} HTTP/1.1\r\nHost: {url.ServerWithPort}\r\nUser-Agent: {Settings.UserAgent}\r\n{line}\r\n");
            if (head.Status is < 200 or > 299)
                throw new RepoFetchException($"the proxy says {head.Status} {head.Reason}".TrimEnd(), HttpConnection.IsPassing(head.Status));
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
