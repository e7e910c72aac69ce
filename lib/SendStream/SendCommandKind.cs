namespace Layerbox.SendStream;

/// <summary>What a command does. Numbers of btrfs send.h (BTRFS_SEND_C_*).</summary>
public enum SendCommandKind : ushort
{
    Unspecified = 0,
    Subvol = 1,
    Snapshot = 2,
    Mkfile = 3,
    Mkdir = 4,
    Mknod = 5,
    Mkfifo = 6,
    Mksock = 7,
    Symlink = 8,
    Rename = 9,
    Link = 10,
    Unlink = 11,
    Rmdir = 12,
    SetXattr = 13,
    RemoveXattr = 14,
    Write = 15,
    Clone = 16,
    Truncate = 17,
    Chmod = 18,
    Chown = 19,
    Utimes = 20,
    End = 21,
    UpdateExtent = 22,

    // Since version 2.
    Fallocate = 23,
    FileAttr = 24,
    EncodedWrite = 25,

    // Since version 3.
    EnableVerity = 26,
}

/// <summary>The members of commands. Numbers of btrfs send.h (BTRFS_SEND_A_*).</summary>
public enum SendAttribute : ushort
{
    Unspecified = 0,
    Uuid = 1,
    Ctransid = 2,
    Ino = 3,
    Size = 4,
    Mode = 5,
    Uid = 6,
    Gid = 7,
    Rdev = 8,
    Ctime = 9,
    Mtime = 10,
    Atime = 11,
    Otime = 12,
    XattrName = 13,
    XattrData = 14,
    Path = 15,
    PathTo = 16,
    PathLink = 17,
    FileOffset = 18,
    Data = 19,
    CloneUuid = 20,
    CloneCtransid = 21,
    ClonePath = 22,
    CloneOffset = 23,
    CloneLength = 24,

    // Since version 2.
    FallocateMode = 25,
    FileAttr = 26,
    UnencodedFileLength = 27,
    UnencodedLength = 28,
    UnencodedOffset = 29,
    Compression = 30,
    Encryption = 31,

    // Since version 3.
    VerityAlgorithm = 32,
    VerityBlockSize = 33,
    VeritySalt = 34,
    VeritySignature = 35,
}
