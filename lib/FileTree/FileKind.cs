namespace Layerbox.FileTree;

/// <summary>What an inode is. The order is that of the canonical encoding and must not change.</summary>
public enum FileKind : byte
{
    Directory = 0,
    File = 1,
    Symlink = 2,
    CharDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
}
