using Layerbox.Posix;
using Layerbox.RpmSnapshot;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer.Rpms;

/// <summary>Serves a snapshot into a container, and remembers what was wrong with it: dnf only hears that something cannot be had.</summary>
internal sealed class SnapshotServing(RpmSource source)
{
    private readonly List<string> _complaints = [];

    /// <summary>The base URL of a repository, as the container sees it; the same each time, since dnf knows what it keeps by it.</summary>
    public static string UrlOf(Snapshot snapshot, SnapshotRepo repo) => $"http://127.0.0.1:{DnfSession.Port}/{snapshot.Id}/{Uri.EscapeDataString(repo.Name)}/";

    /// <summary>Serves until the result is disposed. The socket is closed then.</summary>
    public IDisposable Start(SafeFileHandle listener)
    {
        if (source.Snapshot is not { } snapshot)
            return listener;
        StreamSockets.TakeListener(listener, "container");
        return RepoServer.Start(source.Store!, [new ServedSnapshot(snapshot.Id, snapshot)], listener, new RepoServerOptions { Complain = Remember, Lacks = Remember });
    }

    /// <summary>A reason with what the server knows of it.</summary>
    public string Explain(string reason)
    {
        lock (_complaints)
            return string.Join("; ", [reason, .. _complaints.Distinct()]);
    }

    private void Remember(string complaint)
    {
        lock (_complaints)
            _complaints.Add(complaint);
    }
}
