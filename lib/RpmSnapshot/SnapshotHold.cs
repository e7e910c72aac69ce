using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>A lock on a snapshot's file: that of who serves it, or of who is about to remove it.</summary>
public sealed class SnapshotHold : IDisposable
{
    private readonly SafeFileHandle _file;

    internal SnapshotHold(SafeFileHandle file) => _file = file;

    public void Dispose()
    {
        if (_file.IsClosed)
            return;
        // Said, not left to the close: a program that another thread is just starting has a copy of the descriptor for a moment.
        Files.Unlock(_file);
        _file.Dispose();
    }
}
