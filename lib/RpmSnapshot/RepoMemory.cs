using System.Globalization;
using System.Text;
using Layerbox.Posix;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// What the last sync of a repository had, in <c>refs/last</c>: the newest timestamp of its metadata, and the snapshot. Which snapshot is the last one cannot be
/// told by the snapshots' times: an older state that was synced again on purpose is the same snapshot as before, and clocks go back.
/// </summary>
/// <param name="Newest">In seconds since 1970; null when its metadata has no timestamps.</param>
/// <param name="Snapshot">The id. It may be gone.</param>
public sealed record RepoMemory(decimal? Newest, string Snapshot)
{
    private const string None = "-";

    /// <summary>What is remembered of a repository; null when that is nothing, or cannot be read.</summary>
    public static RepoMemory? Of(SnapshotStore store, string name, string? universe)
    {
        string path = PathOf(store, name, universe);
        if (!Files.Exists(path))
            return null;
        string[] words = Encoding.Latin1.GetString(WholeFile.Read(path, limit: 4096)).TrimEnd('\n').Split(' ');
        if (words is not [var newest, var id] || !SnapshotStore.IsDigest(id))
            return null;
        return decimal.TryParse(newest, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal time) ? new RepoMemory(time, id)
            : newest == None ? new RepoMemory(null, id) : null;
    }

    /// <summary>The repository as it was in the last snapshot; null when that is not known, gone or damaged, which is verify's to tell.</summary>
    public static SnapshotRepo? LastOf(SnapshotStore store, string name, string? universe)
    {
        try
        {
            return Of(store, name, universe) is { } memory ? store.TryLoad(memory.Snapshot)?.Snapshot.Repos.FirstOrDefault(repo => repo.Name == name && repo.Universe == universe) : null;
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Remembers this one from now on. Written only when it is another.</summary>
    public void Save(SnapshotStore store, string name, string? universe)
    {
        if (Of(store, name, universe) == this)
            return;
        Directories.MakeAll(Path.Join(store.Path, "refs/last"));
        WholeFile.Write(PathOf(store, name, universe), Encoding.ASCII.GetBytes($"{Newest?.ToString(CultureInfo.InvariantCulture) ?? None} {Snapshot}\n"));
    }

    // Neither name has a colon, or a slash.
    private static string PathOf(SnapshotStore store, string name, string? universe) => Path.Join(store.Path, "refs/last", universe is null ? name : $"{universe}:{name}");
}
