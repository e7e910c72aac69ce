using System.Globalization;
using System.Text;

namespace Layerbox.Rpm;

/// <summary>Where a file of a repository lies, seen from the repository's root.</summary>
public enum RepoPlace
{
    /// <summary>Below it.</summary>
    Inside,

    /// <summary>Beside or above it ("../pool/x.rpm"), as some distributions have it.</summary>
    Outside,

    /// <summary>At a URL of its own.</summary>
    Elsewhere,
}

/// <summary>
/// A location of repository metadata, checked: metadata is written by strangers and becomes paths and requests. It never becomes a path of this
/// machine; where it is to be one, <see cref="Path"/> is what may be used, and only of one that is <see cref="RepoPlace.Inside"/>.
/// </summary>
/// <param name="Href">As it stands there.</param>
/// <param name="Base">The URL it is relative to, when it is not the repository's.</param>
/// <param name="Place">Whether it leaves the repository.</param>
/// <param name="Path">Without ".", "//" and what ".." takes back; begins with "../" when it leaves the repository. Of URLs the href itself.</param>
public sealed record RepoLocation(string Href, string? Base, RepoPlace Place, string Path)
{
    /// <summary>PATH_MAX of Linux, less the final NUL.</summary>
    private const int MaxLength = 4095;

    /// <exception cref="FormatException">It cannot be the location of a file.</exception>
    public static RepoLocation Parse(string href, string? baseUrl = null)
    {
        if (baseUrl is not null && !IsRemote(baseUrl))
            throw Fault("the base", baseUrl, "is no URL of http, https or ftp");
        if (href.Length == 0)
            throw Fault("the location", href, "is empty");
        if (Encoding.UTF8.GetByteCount(href) > MaxLength)
            throw Fault("the location", href, string.Create(CultureInfo.InvariantCulture, $"has more than {MaxLength} bytes"));
        if (href.AsSpan().ContainsAnyInRange('\0', '\x1f') || href.Contains('\x7f', StringComparison.Ordinal))
            throw Fault("the location", href, "has control characters");
        if (href[^1] == '/')
            throw Fault("the location", href, "is a directory's");
        if (HasScheme(href))
            return IsRemote(href) ? new RepoLocation(href, baseUrl, RepoPlace.Elsewhere, href) : throw Fault("the location", href, "is no URL of http, https or ftp");
        if (href[0] == '/')
            throw Fault("the location", href, "is absolute");
        (string path, bool leaves) = Normalize(href);
        return new RepoLocation(href, baseUrl, baseUrl is not null ? RepoPlace.Elsewhere : leaves ? RepoPlace.Outside : RepoPlace.Inside, path);
    }

    private static (string Path, bool Leaves) Normalize(string href)
    {
        // Nearly all are what they are called: nothing to decode, nothing to leave out.
        if (href[0] != '.' && !href.Contains('%', StringComparison.Ordinal) && !href.Contains("//", StringComparison.Ordinal) && !href.Contains("/.", StringComparison.Ordinal))
            return (href, false);
        int up = 0;
        List<string> names = [];
        foreach (string part in href.Split('/'))
        {
            // A server may take "%2e%2e" for ".." and "%2f" for a slash, when we took them for names.
            string decoded = part.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(part) : part;
            if (decoded.AsSpan().ContainsAny('/', '\0') || (decoded is "." or ".." && decoded != part))
                throw Fault("the location", href, "hides slashes or dots behind percent signs");
            if (part is "" or ".")
                continue;
            if (part != "..")
                names.Add(part);
            else if (names.Count > 0)
                names.RemoveAt(names.Count - 1);
            else
                up++;
        }
        if (names.Count == 0)
            throw Fault("the location", href, "is a directory's");
        return (string.Concat(Enumerable.Repeat("../", up)) + string.Join('/', names), up > 0);
    }

    private static bool HasScheme(string href)
    {
        int colon = href.AsSpan().IndexOfAny(':', '/');
        return colon > 0 && href[colon] == ':' && char.IsAsciiLetter(href[0]) && !href.AsSpan(0, colon).ContainsAnyExcept(s_schemeCharacters);
    }

    private static readonly System.Buffers.SearchValues<char> s_schemeCharacters = System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    private static bool IsRemote(string url) =>
        (url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || url.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || url.StartsWith("ftp://", StringComparison.OrdinalIgnoreCase))
        && !url.AsSpan().ContainsAnyInRange('\0', ' ');

    private static FormatException Fault(string what, string text, string reason) =>
        new($"{what} '{FileTree.BytesText.Escape(Encoding.UTF8.GetBytes(text.Length > 100 ? text[..100] + "…" : text))}' {reason}");
}
