using System.Net;
using Layerbox.Posix;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>A server that requests go through.</summary>
internal sealed record Proxy(RepoUrl Url, Credentials? Credentials)
{
    /// <summary>The proxy for a URL; null when its server is asked directly.</summary>
    /// <exception cref="IOException">What the settings or the environment say is no URL of a proxy.</exception>
    public static Proxy? For(RepoUrl url, ConnectionSettings settings)
    {
        if (settings.Proxy is { } own)
            return own.Length == 0 ? null : Parse(own, "proxy", settings.ProxyCredentials);
        // HTTP_PROXY is not looked at: where a server starts programs, a client's header "Proxy" may be in it.
        foreach (string name in (string[])(url.IsTls ? ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] : ["http_proxy", "all_proxy", "ALL_PROXY"]))
        {
            if (EnvironmentVariable.Get(name) is { } text)
                return IsExcepted(url, EnvironmentVariable.Get("no_proxy") ?? EnvironmentVariable.Get("NO_PROXY") ?? "") ? null : Parse(text, name, settings.ProxyCredentials);
        }
        return null;
    }

    /// <summary>Whether a list as <c>no_proxy</c> has it names the server: its name, a domain that it is in, its address, a network of addresses, or "*".</summary>
    public static bool IsExcepted(RepoUrl url, string list)
    {
        foreach (string entry in list.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string name = entry;
            if (name == "*" || (name.Contains('/', StringComparison.Ordinal) && IPNetwork.TryParse(name, out IPNetwork network) && IPAddress.TryParse(url.HostName, out IPAddress? address) && network.Contains(address)))
                return true;
            int colon = name.LastIndexOf(':');
            if (colon > 0 && colon > name.LastIndexOf(']') && name.IndexOf(':') == colon)
            {
                if (name != url.ServerWithPort && !url.ServerWithPort.EndsWith($".{name.TrimStart('.')}", StringComparison.OrdinalIgnoreCase))
                    continue;
                return true;
            }
            name = name.Trim('[', ']').TrimStart('.');
            if (name.Equals(url.HostName, StringComparison.OrdinalIgnoreCase) || url.HostName.EndsWith($".{name}", StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    private static Proxy Parse(string text, string where, Credentials? credentials)
    {
        const string Scheme = "http://";
        int after = text.IndexOf("://", StringComparison.Ordinal);
        string rest = after < 0 ? text : text[(after + 3)..];
        // The last one: a password may have any character, and no message may have a part of it.
        int at = rest.LastIndexOf('@');
        try
        {
            if (after >= 0 && !text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
                throw new FormatException($"'{text[..after]}://' is no proxy of http://, which is the only kind there is");
            RepoUrl url = RepoUrl.Parse(Scheme + rest[(at + 1)..].Split('/')[0]);
            if (at < 0)
                return new Proxy(url, credentials);
            string[] parts = rest[..at].Split(':', 2);
            return new Proxy(url, new Credentials(Uri.UnescapeDataString(parts[0]), parts.Length > 1 ? Uri.UnescapeDataString(parts[1]) : ""));
        }
        catch (FormatException e)
        {
            throw new IOException($"{where}: {e.Message}", e);
        }
    }
}
