using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>What statfs says of the filesystem that holds a file: its kind and its room, in bytes.</summary>
/// <param name="Magic">The kind, as linux/magic.h numbers them.</param>
/// <param name="Size">Bytes in all.</param>
/// <param name="Available">Bytes that may still be written without special privilege.</param>
public readonly record struct FilesystemStatus(long Magic, long Size, long Available)
{
    // linux/magic.h: BTRFS_SUPER_MAGIC
    private const long BTRFS_SUPER_MAGIC = 0x9123683E;

    public bool IsBtrfs => Magic == BTRFS_SUPER_MAGIC;

    public static unsafe FilesystemStatus Of(SafeFileHandle file, string? path = null)
    {
        Libc.StatfsBuffer buffer;
        PosixException.Check(Libc.fstatfs(file, &buffer), "statfs", path);
        return new FilesystemStatus(buffer.Type, (long)buffer.Blocks * buffer.BlockSize, (long)buffer.AvailableBlocks * buffer.BlockSize);
    }

    public static FilesystemStatus Of(string path)
    {
        using SafeFileHandle file = Files.Open(path, OpenFlags.PathOnly);
        return Of(file, path);
    }
}
