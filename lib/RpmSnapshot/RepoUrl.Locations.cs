using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>Where the files are that metadata names.</summary>
public sealed partial record RepoUrl
{
    /// <summary>A directory of this machine.</summary>
    /// <param name="path">Absolute.</param>
    public static RepoUrl OfDirectory(string path) => new(null, 0, path);

    /// <summary>Where this repository has a file.</summary>
    /// <param name="location">As its metadata says.</param>
    /// <exception cref="FormatException">At a place where it may not send us: a server may name other servers, and never files of this machine; a directory of this machine no server.</exception>
    public RepoUrl Locate(RepoLocation location)
    {
        if (location.Place == RepoPlace.Inside)
            return Below(location.Path);
        if (location.Place == RepoPlace.Outside)
            return Above(location.Path);
        // A relative path has no "//" left.
        RepoUrl url = location.Path.Contains("://", StringComparison.Ordinal) ? Parse(location.Path) : Parse(location.Base!).Above(location.Path);
        return url.IsDirectory == IsDirectory ? url
            : throw new FormatException($"the location '{(location.Base is null ? location.Href : $"{location.Base} {location.Href}")}' is {(IsDirectory ? "on a server, and the repository is a directory" : "a file of this machine, and the repository is on a server")}");
    }

    /// <summary>As RFC 3986 has it: above the root is the root.</summary>
    private RepoUrl Above(string path)
    {
        (string folder, string query) = Split();
        folder = folder.TrimEnd('/');
        while (path.StartsWith("../", StringComparison.Ordinal))
        {
            path = path[3..];
            folder = folder[..Math.Max(folder.LastIndexOf('/'), 0)];
        }
        return (this with { Path = folder + "/" + query }).Below(path);
    }
}
