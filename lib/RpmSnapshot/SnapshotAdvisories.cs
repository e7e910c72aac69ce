using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>The advisories of a repository in the store, read from its updateinfo.xml.</summary>
public static class SnapshotAdvisories
{
    /// <summary>All advisories, in the order of the metadata; none when there is no updateinfo.xml.</summary>
    /// <exception cref="InvalidDataException">The metadata is malformed; says the repository.</exception>
    public static List<Advisory> Read(SnapshotStore store, SnapshotRepo repo)
    {
        if (repo.Files.FirstOrDefault(file => file.Type == "updateinfo") is not { } updateinfo)
            return [];
        try
        {
            using Stream packed = store.OpenObject(updateinfo.Object);
            using Stream open = RepoMetadata.Open(packed, out _);
            using CountedStream counted = new(open, SnapshotPackages.MaxOpen, null);
            return [.. UpdateInfoReader.Read(counted)];
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{repo.Name}: {updateinfo.Location}: {e.Message}", e);
        }
    }
}
