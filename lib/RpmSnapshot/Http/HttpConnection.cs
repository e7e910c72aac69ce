using System.Globalization;
using System.Text;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>
/// Files by HTTP/1.1 (RFC 9110, 9112) for one thread: GET over connections that are kept as long as the servers keep them. A client of our own: what is asked of it
/// is little, and every byte is compared with a checksum afterwards.
/// </summary>
internal sealed class HttpConnection(Connector connector) : IDisposable
{
    private const int MaxRedirects = 5;
    private const int MaxKept = 3; // the server itself, and where it redirects to

    /// <summary>The one used last is the last.</summary>
    private readonly List<ServerConnection> _kept = [];

    /// <inheritdoc cref="RepoConnection.Ask"/>
    public RepoAnswer Ask(RepoAsk ask)
    {
        for (int redirects = 0; ; redirects++)
        {
            (HttpHead head, HttpBody body) = Send(ask);
            switch (head.Status)
            {
                case 200:
                    return new RepoAnswer(body, 0, head.Length) { ETag = head.ETag, LastModified = head.LastModified, SaysItsEnd = head.IsChunked || head.Length is not null };
                case 206 when ask.From > 0 && head.Range is { } part && part.From == ask.From:
                    return new RepoAnswer(body, part.From, part.All ?? part.From + head.Length) { ETag = head.ETag, LastModified = head.LastModified };
                case 304 when ask.IfNoneMatch is not null || ask.IfModifiedSince is not null:
                    return new RepoAnswer(body, 0, null) { IsUnchanged = true };
            }
            body.Skip();
            body.Dispose();
            if (head.Status is 206 or 416 && ask.From > 0)
                ask = ask with { From = 0, IfRange = null }; // it has not the part that we lack, or does not know how to send it
            else if (head.Status is >= 300 and < 400 && head.Location is { } location)
                ask = ask with { Url = Follow(ask.Url, location, redirects) };
            else
                throw Refused(head);
        }
    }

    /// <summary>Whether a server that answers so may answer otherwise in a moment.</summary>
    public static bool IsPassing(int status) => status is 408 or 425 or 429 or >= 500 and not 501 and not 505;

    public void Dispose()
    {
        foreach (ServerConnection connection in _kept)
            connection.Dispose();
        _kept.Clear();
    }

    private static RepoUrl Follow(RepoUrl url, string location, int redirects)
    {
        if (redirects == MaxRedirects)
            throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"redirected more than {MaxRedirects} times"));
        try
        {
            return url.Redirect(location);
        }
        catch (FormatException e)
        {
            throw new RepoFetchException($"redirected: {e.Message}", isPassing: false, e);
        }
    }

    private static RepoFetchException Refused(HttpHead head)
    {
        string what = string.Create(CultureInfo.InvariantCulture, $"the server says {head.Status} {head.Reason}").TrimEnd();
        return new RepoFetchException(what, IsPassing(head.Status)) { RetryAfter = RetryAfter(head.RetryAfter) };
    }

    /// <summary>Seconds, or the date of RFC 9110 section 5.6.7; null when it is neither.</summary>
    private static TimeSpan? RetryAfter(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) ? TimeSpan.FromSeconds(seconds)
        : DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date) ? date - DateTimeOffset.UtcNow
        : null;

    private (HttpHead, HttpBody) Send(RepoAsk ask)
    {
        _kept.RemoveAll(connection => !connection.IsOpen);
        int at = _kept.FindIndex(connection => connection.Server == ask.Url.Origin);
        if (at >= 0)
        {
            ServerConnection used = _kept[at];
            _kept.RemoveAt(at);
            try
            {
                return Send(used, ask);
            }
            // A server may close a connection that it kept just when we use it again; then it has not seen the request.
            catch (RepoFetchException e) when (e.IsBreak && !connector.Cancellation.IsCancellationRequested)
            {
                used.Dispose();
            }
        }
        return Send(connector.Connect(ask.Url, Dispose), ask);
    }

    private (HttpHead, HttpBody) Send(ServerConnection connection, RepoAsk ask)
    {
        if (_kept.Count == MaxKept)
        {
            _kept[0].Dispose();
            _kept.RemoveAt(0);
        }
        _kept.Add(connection);
        try
        {
            HttpHead head = connection.Ask(Request(ask));
            return (head, new HttpBody(connection, head));
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private string Request(RepoAsk ask)
    {
        ConnectionSettings settings = connector.Settings;
        RepoUrl url = ask.Url;
        // Through a tunnel the proxy does not see requests.
        Proxy? proxy = url.IsTls ? null : Proxy.For(url, settings);
        bool isKnown = settings.CredentialServers.Any(server => !server.IsDirectory && server.Origin == url.Origin);
        StringBuilder request = new();
        request.Append("GET ").Append(proxy is null ? url.Path : url.ToString()).Append(" HTTP/1.1\r\n");
        Add("Host", url.Server);
        Add("User-Agent", settings.UserAgent);
        Add("Accept", "*/*");
        Add("Accept-Encoding", "identity");
        Add("Authorization", isKnown ? Connector.Basic(settings.Credentials) : null);
        Add("Proxy-Authorization", Connector.Basic(proxy?.Credentials));
        if (ask.From > 0)
            Add("Range", string.Create(CultureInfo.InvariantCulture, $"bytes={ask.From}-"));
        Add("If-Range", ask.From > 0 ? ask.IfRange : null);
        Add("If-None-Match", ask.IfNoneMatch);
        Add("If-Modified-Since", ask.IfModifiedSince);
        return request.Append("\r\n").ToString();

        void Add(string name, string? value)
        {
            if (value is not null)
                request.Append(name).Append(": ").Append(value).Append("\r\n");
        }
    }
}
