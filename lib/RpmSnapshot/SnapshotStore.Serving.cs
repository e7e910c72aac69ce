using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <content>What servers need.</content>
public sealed partial class SnapshotStore
{
    /// <summary>Keeps a snapshot from being collected until the hold is disposed; a collection that is at work is waited for.</summary>
    /// <param name="id">Which.</param>
    /// <exception cref="PosixException">It is not there, or not any more.</exception>
    public SnapshotHold Serve(string id)
    {
        string path = SnapshotPath(id);
        SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        try
        {
            Files.Lock(file, exclusive: false, wait: true, path);
            return Files.Exists(path) ? new SnapshotHold(file) : throw new PosixException("open", Errno.ENOENT, path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
