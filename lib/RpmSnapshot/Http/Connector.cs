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
    /// <exception cref="RepoFetchException">It cannot be reached, or is not the one it should be.</exception>
    /// <exception cref="IOException">The settings cannot be used.</exception>
    public ServerConnection Connect(RepoUrl url)
    {
        Proxy? proxy = Proxy.For(url, Settings);
        TlsContext? tls = url.IsTls ? Tls() : null;
        SafeFileHandle socket = ConnectTcp(proxy?.Url ?? url);
        if (tls is null)
            return new ServerConnection(new Channel(socket, transport.Patience), url.Origin, Cancellation);
        if (proxy is not null)
            Tunnel(socket, url, proxy);
        return new ServerConnection(new TlsChannel(socket, tls, url.HostName, transport.Patience), url.Origin, Cancellation);
    }

    /// <summary>The header line for the user of a server or a proxy; empty when there is none.</summary>
    public static string Authorization(string header, Credentials? credentials) =>
        credentials is null ? "" : $"{header}: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.User}:{credentials.Password}"))}\r\n";

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
        // It is closed only when this fails: else the socket goes on as the server's.
        ServerConnection connection = new(new Channel(socket, transport.Patience), proxy.Url.Origin, Cancellation);
        try
        {
            HttpHead head = connection.Ask($"CONNECT {url.ServerWithPort} HTTP/1.1\r\nHost: {url.ServerWithPort}\r\nUser-Agent: {Settings.UserAgent}\r\n{Authorization("Proxy-Authorization", proxy.Credentials)}\r\n");
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
