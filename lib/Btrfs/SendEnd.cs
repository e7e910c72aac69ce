using System.Buffers.Binary;
using Layerbox.Posix;

namespace Layerbox.Btrfs;

/// <summary>
/// The end of a send stream, which we write in place of the kernel: the times of the subvolume's root, then the end. The kernel makes new files in
/// the root before it moves them to their places, and says the root's times too early, or not at all in an incremental stream: a
/// receiver was left with the time of receiving (btrfs-progs issue 461).
/// </summary>
internal static class SendEnd
{
    // fs/btrfs/send.h
    private const ushort BTRFS_SEND_C_UTIMES = 20, BTRFS_SEND_C_END = 21;
    private const ushort BTRFS_SEND_A_CTIME = 9, BTRFS_SEND_A_MTIME = 10, BTRFS_SEND_A_ATIME = 11, BTRFS_SEND_A_OTIME = 12, BTRFS_SEND_A_PATH = 15;
    private const int HeaderSize = 10, CrcOffset = 6;

    public static byte[] Bytes(FileTimes root, int protocol)
    {
        List<byte> attributes = [];
        Add(attributes, BTRFS_SEND_A_PATH, []);
        Add(attributes, BTRFS_SEND_A_ATIME, Bytes(root.Access));
        Add(attributes, BTRFS_SEND_A_MTIME, Bytes(root.Modification));
        Add(attributes, BTRFS_SEND_A_CTIME, Bytes(root.Change));
        if (protocol >= 2)
            Add(attributes, BTRFS_SEND_A_OTIME, Bytes(root.Birth));
        return [.. Command(BTRFS_SEND_C_UTIMES, [.. attributes]), .. Command(BTRFS_SEND_C_END, [])];
    }

    // struct btrfs_tlv_header { u16 type; u16 length; }
    private static void Add(List<byte> attributes, ushort type, byte[] value)
    {
        Span<byte> header = stackalloc byte[2 * sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(header, type);
        BinaryPrimitives.WriteUInt16LittleEndian(header[sizeof(ushort)..], (ushort)value.Length);
        attributes.AddRange(header);
        attributes.AddRange(value);
    }

    // struct btrfs_timespec { s64 sec; u32 nsec; }
    private static byte[] Bytes(FileTime time)
    {
        byte[] bytes = new byte[sizeof(long) + sizeof(uint)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, time.Seconds);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(sizeof(long)), time.Nanoseconds);
        return bytes;
    }

    // struct btrfs_cmd_header { u32 len; u16 cmd; u32 crc; }
    private static byte[] Command(ushort kind, byte[] attributes)
    {
        byte[] command = [.. new byte[HeaderSize], .. attributes];
        BinaryPrimitives.WriteInt32LittleEndian(command, attributes.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(command.AsSpan(sizeof(int)), kind);
        BinaryPrimitives.WriteUInt32LittleEndian(command.AsSpan(CrcOffset), ReplayedOutput.Sum(0, command));
        return command;
    }
}
