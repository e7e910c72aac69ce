using System.Globalization;
using System.Text;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>
/// Files by HTTP/1.1 (RFC 9110, 9112) for one thread: GET over connections that are kept as long as the servers keep them. A client of our own: what is asked of it
/// is little, and every byte is compared with a checksum afterwards.
/// </summary>
internal sealed class HttpConnection(Connector connector) : RepoConnection
{
    private const int MaxRedirects = 5;
    private const int MaxKept = 3; // the server itself, and where it redirects to

    /// <summary>The one used last is the last.</summary>
    private readonly List<ServerConnection> _kept = [];

    public override Stream Get(RepoUrl url, out long? length)
    {
        for (int redirects = 0; ; redirects++)
        {
            (HttpHead head, HttpBody body) = Ask(url);
            if (head.Status == 200)
            {
                length = head.Length;
                return body;
            }
            body.Skip();
            body.Dispose();
            if (head.Status is not (>= 300 and < 400) || head.Location is not { } location)
                throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"the server says {head.Status} {head.Reason}").TrimEnd(), IsPassing(head.Status));
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
        }
    }

    /// <summary>Whether a server that answers so may answer otherwise in a moment.</summary>
    public static bool IsPassing(int status) => status is 408 or 425 or 429 or >= 500 and not 501 and not 505;

    public override void Dispose()
    {
        foreach (ServerConnection connection in _kept)
            connection.Dispose();
        _kept.Clear();
        base.Dispose();
    }

    private (HttpHead, HttpBody) Ask(RepoUrl url)
    {
        _kept.RemoveAll(connection => !connection.IsOpen);
        int at = _kept.FindIndex(connection => connection.Server == url.Origin);
        if (at >= 0)
        {
            ServerConnection used = _kept[at];
            _kept.RemoveAt(at);
            try
            {
                return Ask(used, url);
            }
            // A server may close a connection that it kept just when we use it again; then it has not seen the request.
            catch (RepoFetchException e) when (e.IsPassing && !connector.Cancellation.IsCancellationRequested)
            {
                used.Dispose();
            }
        }
        return Ask(connector.Connect(url), url);
    }

    private (HttpHead, HttpBody) Ask(ServerConnection connection, RepoUrl url)
    {
        if (_kept.Count == MaxKept)
        {
            _kept[0].Dispose();
            _kept.RemoveAt(0);
        }
        _kept.Add(connection);
        Proxy? proxy = url.IsTls ? null : Proxy.For(url, connector.Settings);
        Credentials? credentials = connector.Settings.CredentialServers.Any(server => !server.IsDirectory && server.Origin == url.Origin) ? connector.Settings.Credentials : null;
        StringBuilder request = new();
        request.Append("GET ").Append(proxy is null ? url.Path : url.ToString()).Append(" HTTP/1.1\r\nHost: ").Append(url.Server)
            .Append("\r\nUser-Agent: ").Append(connector.Settings.UserAgent).Append("\r\nAccept: */*\r\nAccept-Encoding: identity\r\n")
            .Append(Connector.Authorization("Authorization", credentials)).Append(Connector.Authorization("Proxy-Authorization", proxy?.Credentials)).Append("\r\n");
        try
        {
            HttpHead head = connection.Ask(request.ToString());
            return (head, new HttpBody(connection, head));
        }
        catch (RepoFetchException)
        {
            connection.Dispose();
            throw;
        }
    }
}
