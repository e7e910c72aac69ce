using System.Text;
using Layerbox.Posix;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// What servers call the version of a file that we have: lines "URL TAB ETAG TAB LAST-MODIFIED TAB OBJECT". It saves transfers; what of it is lost or cannot be
/// read is only fetched again.
/// </summary>
internal sealed class VersionTable
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, FileVersion> _versions = new(StringComparer.Ordinal);
    private bool _isChanged;

    public static VersionTable Read(string path)
    {
        VersionTable table = new();
        if (!Files.Exists(path))
            return table;
        foreach (string line in Encoding.UTF8.GetString(WholeFile.Read(path)).Split('\n'))
        {
            if (line.Split('\t') is [var url, var tag, var modified, var digest] && SnapshotStore.IsDigest(digest))
                table._versions[url] = new FileVersion(tag.Length > 0 ? tag : null, modified.Length > 0 ? modified : null, digest);
        }
        return table;
    }

    public FileVersion? Find(RepoUrl url)
    {
        lock (_lock)
            return _versions.GetValueOrDefault(url.ToString());
    }

    /// <summary>Remembers a version, unless the server has no name for it.</summary>
    public void Put(RepoUrl url, FileVersion version)
    {
        if ((version.ETag is null && version.LastModified is null) || $"{version.ETag}{version.LastModified}".Contains('\t', StringComparison.Ordinal))
            return;
        lock (_lock)
        {
            _isChanged |= _versions.GetValueOrDefault(url.ToString()) != version;
            _versions[url.ToString()] = version;
        }
    }

    /// <param name="path">Where it is kept.</param>
    /// <param name="isThere">Whether there is such an object; without it the version is of no use.</param>
    public void Save(string path, Func<string, bool> isThere)
    {
        if (!_isChanged)
            return;
        StringBuilder text = new();
        foreach ((string url, FileVersion version) in _versions)
        {
            if (isThere(version.Object))
                text.Append(url).Append('\t').Append(version.ETag).Append('\t').Append(version.LastModified).Append('\t').Append(version.Object).Append('\n');
        }
        WholeFile.Write(path, Encoding.UTF8.GetBytes(text.ToString()));
        _isChanged = false;
    }
}

/// <summary>A version of a file.</summary>
/// <param name="ETag">As the server wrote it, quotes and all; null when it did not.</param>
/// <param name="LastModified">Likewise.</param>
/// <param name="Object">Its sha256.</param>
internal sealed record FileVersion(string? ETag, string? LastModified, string Object);
