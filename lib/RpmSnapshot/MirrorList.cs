using System.Text;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>What lists of mirrors say: where a repository is, and, of a metalink, which repomd.xml is valid.</summary>
/// <param name="Mirrors">Base URLs, in the order in which they are to be asked.</param>
/// <param name="Versions">The repomd.xml files that a metalink vouches for, the newest first; empty of plain lists.</param>
/// <param name="PassedOver">Entries that are of no use, with the reason.</param>
internal sealed record MirrorList(IReadOnlyList<RepoUrl> Mirrors, IReadOnlyList<MetalinkVersion> Versions, IReadOnlyList<string> PassedOver)
{
    private const string RepomdPath = "repodata/repomd.xml";

    /// <summary>A URL a line; empty lines and those that begin with "#" do not count.</summary>
    /// <param name="text">The list.</param>
    /// <param name="isLocal">Whether it is a file of this machine, which may name directories of it. A server must not send us to our own files.</param>
    public static MirrorList Parse(ReadOnlySpan<byte> text, bool isLocal) =>
        Of(Encoding.UTF8.GetString(text).Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'), [], isLocal);

    /// <exception cref="InvalidDataException">The metalink is malformed.</exception>
    public static MirrorList Read(Metalink metalink, bool isLocal)
    {
        List<string> passed = [], bases = [];
        foreach (MetalinkUrl url in metalink.Urls)
        {
            // The same mirror is there by several protocols.
            if (url.Url.StartsWith("rsync:", StringComparison.OrdinalIgnoreCase) || url.Url.StartsWith("ftp:", StringComparison.OrdinalIgnoreCase))
                continue;
            if (url.Url.EndsWith(RepomdPath, StringComparison.Ordinal))
                bases.Add(url.Url[..^RepomdPath.Length]);
            else
                passed.Add($"'{url.Url}' does not end in {RepomdPath}");
        }
        MirrorList list = Of(bases, metalink.Versions, isLocal);
        return list with { PassedOver = [.. passed, .. list.PassedOver] };
    }

    private static MirrorList Of(IEnumerable<string> urls, IReadOnlyList<MetalinkVersion> versions, bool isLocal)
    {
        List<RepoUrl> mirrors = [];
        List<string> passed = [];
        foreach (string text in urls)
        {
            try
            {
                RepoUrl url = RepoUrl.Parse(text);
                if (url.IsDirectory && !isLocal)
                    throw new FormatException($"'{text}' is not of http");
                if (!mirrors.Contains(url))
                    mirrors.Add(url);
            }
            catch (FormatException e)
            {
                passed.Add(e.Message);
            }
        }
        return new MirrorList(mirrors, versions, passed);
    }
}
