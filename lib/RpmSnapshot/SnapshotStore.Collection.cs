using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <content>What keeps snapshots, and what a collection removes.</content>
public sealed partial class SnapshotStore
{
    private const int MaxReason = 1000; // bytes

    /// <summary>The snapshots that are pinned, sorted by id, and why.</summary>
    public IEnumerable<(string Id, string Reason)> Pins() =>
        Files.Exists(Below("refs/pins"))
            ? Names(Below("refs/pins")).Where(IsDigest).Select(id => (id, Encoding.UTF8.GetString(WholeFile.Read(PinPath(id), limit: 2 * MaxReason)).TrimEnd('\n')))
            : [];

    /// <summary>Keeps a snapshot until it is unpinned, whatever its tags and its age.</summary>
    /// <param name="id">Which.</param>
    /// <param name="reason">One line for people; may be empty.</param>
    /// <exception cref="IOException">The reason is none.</exception>
    public void Pin(string id, string reason)
    {
        if (reason.Any(char.IsControl) || Encoding.UTF8.GetByteCount(reason) > MaxReason)
            throw new IOException($"the reason of a pin is one line of at most {MaxReason} bytes");
        Directories.MakeAll(Below("refs/pins"));
        WholeFile.Write(PinPath(id), Encoding.UTF8.GetBytes(reason + "\n"));
    }

    /// <exception cref="IOException">It is not pinned.</exception>
    public void Unpin(string id)
    {
        if (!Files.Exists(PinPath(id)))
            throw new IOException($"{Path}: snapshot {id} is not pinned");
        Files.Remove(PinPath(id));
    }

    /// <summary>Locks a snapshot's file, until the hold is disposed; null when somebody serves it.</summary>
    internal SnapshotHold? TryHold(string id)
    {
        SafeFileHandle file = Files.Open(SnapshotPath(id), OpenFlags.ReadOnly | OpenFlags.NoFollow);
        if (Files.Lock(file, exclusive: true, wait: false, SnapshotPath(id)))
            return new SnapshotHold(file);
        file.Dispose();
        return null;
    }

    /// <summary>Removes what installs from a snapshot have made of its metadata: <c>cache/dnf/ID-…</c>.</summary>
    internal void ForgetCaches(string id)
    {
        if (Files.Exists(Below("cache/dnf")))
            foreach (string name in Names(Below("cache/dnf")).Where(name => name.StartsWith($"{id}-", StringComparison.Ordinal)))
                Directories.RemoveAll(Below($"cache/dnf/{name}"));
    }

    /// <summary>Removes a snapshot. Its objects stay, and its tags: those are to go first.</summary>
    internal void Remove(string id)
    {
        Files.Remove(SnapshotPath(id));
        OnDemand.Forget(id);
    }

    /// <summary>What was done to tags and snapshots is on the disk when this returns.</summary>
    internal void SyncNames()
    {
        foreach (string folder in (ReadOnlySpan<string>)["refs/tags", "snapshots"])
        {
            using SafeFileHandle handle = Directories.Open(Below(folder));
            Files.Sync(handle, Below(folder));
        }
    }

    /// <summary>Aliases of objects that are gone lead nowhere.</summary>
    internal void ForgetLostAliases()
    {
        Aliases.RemoveUnless([.. Objects()]);
        Aliases.Save(Below("aliases"));
    }

    /// <summary>What lies in tmp, sorted, and what a fetch wrote that was ended before it had its snapshot.</summary>
    internal IEnumerable<(string Name, FileStatus Status)> Parts() =>
        Names(Below("tmp")).Select(name => $"tmp/{name}").Concat(OnDemand.WithoutSnapshot()).Select(name => (name, Files.Status(Below(name))));

    private string PinPath(string id) => Below($"refs/pins/{id}");
}
