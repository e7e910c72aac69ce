using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <content>What servers need.</content>
public sealed partial class SnapshotStore
{
    /// <summary>Keeps a snapshot from being collected until the handle is disposed; a collection that is at work is waited for.</summary>
    /// <param name="id">Which.</param>
    /// <exception cref="PosixException">It is not there, or not any more.</exception>
    public SafeFileHandle Serve(string id)
    {
        string path = SnapshotPath(id);
        SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        try
        {
            Files.Lock(file, exclusive: false, wait: true, path);
            return Files.Exists(path) ? file : throw new PosixException("open", Errno.ENOENT, path);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
