using System.Runtime.CompilerServices;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// The numbers of the send-stream format (btrfs send.h and its documentation, dev-send-stream). All integers are little endian and
/// nothing is aligned. A stream is a header (13 bytes of magic, u32 version) and commands; a command is u32 length of the payload,
/// u16 kind, u32 CRC32C (over all of the command, the CRC itself as 0) and the payload: attributes of u16 type, u16 length, value.
/// </summary>
public static class SendStreamFormat
{
    public const int HeaderLength = 17;
    public const int CommandHeaderLength = 10;
    public const int AttributeHeaderLength = 4;
    public const int UuidLength = 16;

    /// <summary>i64 seconds, u32 nanoseconds.</summary>
    public const int TimeLength = 12;

    /// <summary>The newest version that is known; 3 (fs-verity) is experimental in the kernel.</summary>
    public const uint MaxVersion = 3;

    /// <summary>From this version on the data attribute has no length: it reaches to the end of its command.</summary>
    public const uint FirstVersionWithOpenData = 2;

    /// <summary>An attribute's length is a u16.</summary>
    public const int MaxAttributeLength = ushort.MaxValue;

    /// <summary>The kernel's buffer for one command of version 1.</summary>
    public const int MaxVersion1CommandLength = 64 << 10;

    /// <summary>PATH_MAX of Linux, less the final NUL.</summary>
    public const int MaxPathLength = 4095;

    /// <summary>XATTR_NAME_MAX of Linux.</summary>
    public const int MaxXattrNameLength = 255;

    /// <summary>XATTR_LIST_MAX of Linux: what the names of one inode, each with a NUL, may take to be listed.</summary>
    public const int MaxXattrListLength = 65536;

    /// <summary>Largest offset and size of a file on Linux (MAX_LFS_FILESIZE).</summary>
    public const ulong MaxFileSize = long.MaxValue;

    /// <summary>BTRFS_MAX_COMPRESSED and BTRFS_MAX_UNCOMPRESSED: what one compressed extent decodes to at most.</summary>
    public const int MaxEncodedExtent = 128 << 10;

    /// <summary>What the kernel puts into one write of version 1, whose commands stay below 64 KiB.</summary>
    private const int LongestVersion1Write = 48 << 10;

    /// <summary>One more than the highest attribute that is known.</summary>
    internal const int AttributeCount = 36;

    /// <summary>One more than the highest command that is known.</summary>
    internal const int CommandCount = 27;

    public static ReadOnlySpan<byte> Magic => "btrfs-stream\0"u8;

    private static readonly string[] s_commandNames =
    [
        "unspecified", "subvol", "snapshot", "mkfile", "mkdir", "mknod", "mkfifo", "mksock", "symlink", "rename", "link", "unlink", "rmdir",
        "set_xattr", "remove_xattr", "write", "clone", "truncate", "chmod", "chown", "utimes", "end", "update_extent", "fallocate",
        "fileattr", "encoded_write", "enable_verity",
    ];

    private static readonly string[] s_attributeNames =
    [
        "unspecified", "uuid", "ctransid", "ino", "size", "mode", "uid", "gid", "rdev", "ctime", "mtime", "atime", "otime", "xattr_name",
        "xattr_data", "path", "path_to", "path_link", "file_offset", "data", "clone_uuid", "clone_ctransid", "clone_path", "clone_offset",
        "clone_len", "fallocate_mode", "fileattr", "unencoded_file_len", "unencoded_len", "unencoded_offset", "compression", "encryption",
        "verity_algorithm", "verity_block_size", "verity_salt", "verity_signature",
    ];

    // What a reader of the command cannot do without. INO is never needed, COMPRESSION and ENCRYPTION mean 0 when absent.
    private static readonly ulong[] s_required = MakeRequired();

    // Lengths of values that have one, by attribute; 0 where any length will do.
    private static ReadOnlySpan<byte> Lengths =>
    [
        0, UuidLength, 8, 8, 8, 8, 8, 8, 8, TimeLength, TimeLength, TimeLength, TimeLength, 0, 0, 0, 0, 0, 8, 0,
        UuidLength, 8, 0, 8, 8, 4, 8, 8, 8, 8, 4, 4, 1, 4, 0, 0,
    ];

    /// <summary>The kernel's word for a command, in lower case ("set_xattr").</summary>
    public static string NameOf(SendCommandKind kind) => IsKnown(kind) ? s_commandNames[(int)kind] : "unknown";

    /// <summary>The kernel's word for an attribute, in lower case ("clone_len").</summary>
    public static string NameOf(SendAttribute attribute) => IsKnown(attribute) ? s_attributeNames[(int)attribute] : "unknown";

    public static bool IsKnown(SendCommandKind kind) => kind is > SendCommandKind.Unspecified and <= SendCommandKind.EnableVerity;

    public static bool IsKnown(SendAttribute attribute) => attribute is > A.Unspecified and <= A.VeritySignature;

    /// <summary>The first version whose streams may hold the command.</summary>
    public static uint FirstVersionOf(SendCommandKind kind) => kind switch
    {
        <= SendCommandKind.UpdateExtent => 1,
        <= SendCommandKind.EncodedWrite => 2,
        _ => 3,
    };

    /// <summary>The only length that a value of this type may have, or 0 when any will do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int FixedLengthOf(SendAttribute attribute) => IsKnown(attribute) ? Lengths[(int)attribute] : 0;

    /// <summary>The longest write that the kernel makes in a version; since 2 as much as one compressed extent may hold.</summary>
    internal static int LongestWrite(uint version) => version >= FirstVersionWithOpenData ? MaxEncodedExtent : LongestVersion1Write;

    /// <summary>Attributes that a command must have, as bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong RequiredBy(SendCommandKind kind) => IsKnown(kind) ? s_required[(int)kind] : 0;

    internal static bool IsPath(SendAttribute attribute) => attribute is A.Path or A.PathTo or A.PathLink or A.ClonePath;

    private static ulong[] MakeRequired()
    {
        ulong[] required = new ulong[CommandCount];
        Set(SendCommandKind.Subvol, A.Path, A.Uuid, A.Ctransid);
        Set(SendCommandKind.Snapshot, A.Path, A.Uuid, A.Ctransid, A.CloneUuid, A.CloneCtransid);
        Set(SendCommandKind.Mkfile, A.Path);
        Set(SendCommandKind.Mkdir, A.Path);
        Set(SendCommandKind.Mknod, A.Path, A.Rdev, A.Mode);
        Set(SendCommandKind.Mkfifo, A.Path);
        Set(SendCommandKind.Mksock, A.Path);
        Set(SendCommandKind.Symlink, A.Path, A.PathLink);
        Set(SendCommandKind.Rename, A.Path, A.PathTo);
        Set(SendCommandKind.Link, A.Path, A.PathLink);
        Set(SendCommandKind.Unlink, A.Path);
        Set(SendCommandKind.Rmdir, A.Path);
        Set(SendCommandKind.SetXattr, A.Path, A.XattrName, A.XattrData);
        Set(SendCommandKind.RemoveXattr, A.Path, A.XattrName);
        Set(SendCommandKind.Write, A.Path, A.FileOffset, A.Data);
        Set(SendCommandKind.Clone, A.Path, A.FileOffset, A.CloneLength, A.CloneUuid, A.CloneCtransid, A.ClonePath, A.CloneOffset);
        Set(SendCommandKind.Truncate, A.Path, A.Size);
        Set(SendCommandKind.Chmod, A.Path, A.Mode);
        Set(SendCommandKind.Chown, A.Path, A.Uid, A.Gid);
        Set(SendCommandKind.Utimes, A.Path, A.Atime, A.Mtime, A.Ctime);
        Set(SendCommandKind.UpdateExtent, A.Path, A.FileOffset, A.Size);
        Set(SendCommandKind.Fallocate, A.Path, A.FallocateMode, A.FileOffset, A.Size);
        Set(SendCommandKind.FileAttr, A.Path, A.FileAttr);
        Set(SendCommandKind.EncodedWrite, A.Path, A.FileOffset, A.UnencodedFileLength, A.UnencodedLength, A.UnencodedOffset, A.Data);
        Set(SendCommandKind.EnableVerity, A.Path, A.VerityAlgorithm, A.VerityBlockSize, A.VeritySalt, A.VeritySignature);
        return required;

        void Set(SendCommandKind kind, params ReadOnlySpan<SendAttribute> attributes)
        {
            foreach (SendAttribute attribute in attributes)
                required[(int)kind] |= 1UL << (int)attribute;
        }
    }
}
