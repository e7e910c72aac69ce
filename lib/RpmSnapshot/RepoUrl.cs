using System.Globalization;
using System.Text;

namespace Layerbox.RpmSnapshot;

/// <summary>Where a repository is: a directory of this machine (file:) or a server (http:, https:).</summary>
/// <param name="Host">Null of directories.</param>
/// <param name="Port">Of the server.</param>
/// <param name="Path">Of a directory: its path, as bytes in UTF-8. Of a server: what is asked for, ready for a request.</param>
/// <param name="IsTls">Of https.</param>
public sealed partial record RepoUrl(string? Host, int Port, string Path, bool IsTls = false)
{
    private const int HttpPort = 80, HttpsPort = 443;
    private const string FileScheme = "file:", HttpScheme = "http://", HttpsScheme = "https://";

    /// <exception cref="FormatException">It is no URL of a repository, or one of a kind that is not known.</exception>
    public static RepoUrl Parse(string text)
    {
        if (text.Any(c => char.IsControl(c) || c == ' '))
            throw new FormatException($"'{Shown(text)}' is no URL: spaces and control characters are written as %20 and so on");
        if (text.StartsWith(FileScheme, StringComparison.OrdinalIgnoreCase))
        {
            string path = text[FileScheme.Length..];
            path = path.StartsWith("//", StringComparison.Ordinal) ? path[2..] : path;
            return path.StartsWith('/') ? new RepoUrl(null, 0, Uri.UnescapeDataString(path)) : throw new FormatException($"'{text}': file: needs an absolute path, such as file:///srv/repo");
        }
        bool isTls = text.StartsWith(HttpsScheme, StringComparison.OrdinalIgnoreCase);
        if (!isTls && !text.StartsWith(HttpScheme, StringComparison.OrdinalIgnoreCase))
            throw new FormatException($"'{Shown(text)}' is neither a file: nor an http:// or https:// URL{(text.StartsWith('/') ? $"; the directory is file://{text}" : "")}");
        string scheme = isTls ? HttpsScheme : HttpScheme;
        string rest = text[scheme.Length..].Split('#')[0];
        int slash = rest.AsSpan().IndexOfAny('/', '?');
        (string server, string asked) = slash < 0 ? (rest, "/") : (rest[..slash], rest[slash] == '?' ? "/" + rest[slash..] : rest[slash..]);
        if (server.Contains('@', StringComparison.Ordinal))
            throw new FormatException($"'{scheme}{server.Split('@')[^1]}…': a user name in a URL is not supported; docs/rpm.md says how credentials are given");
        int port = isTls ? HttpsPort : HttpPort;
        int colon = server.LastIndexOf(':');
        if (colon > server.LastIndexOf(']'))
        {
            if (!int.TryParse(server.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is 0 or > 65535)
                throw new FormatException($"'{text}': the port is no number from 1 to 65535");
            server = server[..colon];
        }
        return server.Length > 0 ? new RepoUrl(server, port, EscapeBytes(asked, Encoding.UTF8), isTls) : throw new FormatException($"'{text}' names no server");
    }

    public bool IsDirectory => Host is null;

    /// <summary>A file below this URL, by its path as repository metadata has it. A query, such as a token that a server wants, stays at the end, as librepo keeps it.</summary>
    public RepoUrl Below(string path)
    {
        (string folder, string query) = Split();
        return this with { Path = (folder.EndsWith('/') ? folder : folder + "/") + (IsDirectory ? Uri.UnescapeDataString(path) : Escape(path)) + query };
    }

    /// <summary>What a redirect leads to.</summary>
    /// <exception cref="FormatException">It is not of http, or leads from https to http.</exception>
    public RepoUrl Redirect(string location)
    {
        // A header's characters are its bytes.
        location = EscapeBytes(location, Encoding.Latin1);
        if (location.StartsWith("//", StringComparison.Ordinal))
            location = (IsTls ? "https:" : "http:") + location;
        int colon = location.AsSpan().IndexOfAny(':', '/');
        if (colon <= 0 || location[colon] != ':')
            return Parse(Origin + (location.StartsWith('/') ? location : Path[..(Split().Folder.LastIndexOf('/') + 1)] + location));
        RepoUrl url = Parse(location);
        return url.IsDirectory ? throw new FormatException($"'{location}' is not of http")
            : IsTls && !url.IsTls ? throw new FormatException($"'{location}' is not of https, as the first URL is")
            : url;
    }

    /// <summary>Host and port as the header Host has them.</summary>
    internal string Server => Port == (IsTls ? HttpsPort : HttpPort) ? Host! : ServerWithPort;

    /// <summary>Host and port, whatever that is.</summary>
    internal string ServerWithPort => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>Scheme, host and port.</summary>
    internal string Origin => (IsTls ? HttpsScheme : HttpScheme) + Server;

    /// <summary>The host without the brackets of an IPv6 address.</summary>
    internal string HostName => Host!.Trim('[', ']');

    public override string ToString() => IsDirectory ? $"file://{Path}" : $"{Origin}{Path}";

    /// <summary>The path without its query, and that with its question mark; a directory has none.</summary>
    private (string Folder, string Query) Split() => !IsDirectory && Path.IndexOf('?', StringComparison.Ordinal) is var mark and >= 0 ? (Path[..mark], Path[mark..]) : (Path, "");

    /// <summary>A text that should be a URL, for a message: without the user and the password that may be in it.</summary>
    private static string Shown(string text)
    {
        int scheme = text.IndexOf("//", StringComparison.Ordinal), at = text.LastIndexOf('@');
        return at < 0 ? text : (scheme >= 0 && scheme < at ? text[..(scheme + 2)] : "") + "…" + text[at..];
    }

    /// <summary>What is not ASCII, as escapes of its bytes: in a request there is nothing else.</summary>
    private static string EscapeBytes(string text, Encoding encoding) =>
        Ascii.IsValid(text) ? text : string.Concat(encoding.GetBytes(text).Select(one => one < 0x80 ? $"{(char)one}" : string.Create(CultureInfo.InvariantCulture, $"%{one:X2}")));

    /// <summary>Only what cannot stand in a request is escaped: servers do not all take "%2B" for "+". What is escaped already stays.</summary>
    private static string Escape(string path)
    {
        StringBuilder text = new();
        byte[] bytes = Encoding.UTF8.GetBytes(path);
        for (int i = 0; i < bytes.Length; i++)
        {
            bool isEscape = bytes[i] == '%' && i + 2 < bytes.Length && char.IsAsciiHexDigit((char)bytes[i + 1]) && char.IsAsciiHexDigit((char)bytes[i + 2]);
            if (bytes[i] is > 0x20 and < 0x7F && (isEscape || !"\"#%<>?\\^`{|}"u8.Contains(bytes[i])))
                text.Append((char)bytes[i]);
            else
                text.Append(CultureInfo.InvariantCulture, $"%{bytes[i]:X2}");
        }
        return text.ToString();
    }
}
