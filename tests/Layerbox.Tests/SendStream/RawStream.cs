using System.Buffers.Binary;
using System.Text;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

/// <summary>Makes streams byte by byte, good ones and others. Text is Latin-1: a character a byte.</summary>
internal static class RawStream
{
    public static readonly byte[] Uuid = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];
    public static readonly byte[] Subvol = Command(K.Subvol, Path("vol"), Attribute(A.Uuid, Uuid), U64(A.Ctransid, 7));
    public static readonly byte[] Snapshot =
        Command(K.Snapshot, Path("vol2"), Attribute(A.Uuid, [.. Uuid.Reverse()]), U64(A.Ctransid, 9), Attribute(A.CloneUuid, Uuid), U64(A.CloneCtransid, 7));
    public static readonly byte[] End = Command(K.End);

    public static byte[] Header(uint version = 1) => [.. SendStreamFormat.Magic, .. BitConverter.GetBytes(version)];

    /// <summary>A stream of a header and these parts.</summary>
    public static byte[] Stream(uint version, params byte[][] parts) => [.. Header(version), .. parts.SelectMany(p => p)];

    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
    public static byte[] Attribute(A type, params byte[] value) => [(byte)type, (byte)((int)type >> 8), (byte)value.Length, (byte)(value.Length >> 8), .. value];
    public static byte[] U64(A type, ulong value) => Attribute(type, BitConverter.GetBytes(value));
    public static byte[] U32(A type, uint value) => Attribute(type, BitConverter.GetBytes(value));
    public static byte[] Time(A type, long seconds, uint nanoseconds = 0) => Attribute(type, [.. BitConverter.GetBytes(seconds), .. BitConverter.GetBytes(nanoseconds)]);
    public static byte[] Path(string path) => Attribute(A.Path, Bytes(path));

    /// <summary>Data as version 2 has it: without a length, up to the end of the command.</summary>
    public static byte[] OpenData(params byte[] value) => [(byte)A.Data, 0, .. value];

    public static byte[] Command(K kind, params byte[][] attributes)
    {
        byte[] frame = [.. FrameHeader((uint)attributes.Sum(a => a.Length), kind), .. attributes.SelectMany(a => a)];
        Seal(frame);
        return frame;
    }

    /// <summary>Writes the checksum that a frame ought to have.</summary>
    public static void Seal(Span<byte> frame)
    {
        frame.Slice(6, sizeof(uint)).Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(frame[6..], Crc32C.Append(0, frame));
    }

    /// <summary>The beginning of a command, with 0 for its checksum.</summary>
    public static byte[] FrameHeader(uint length, K kind) => [.. BitConverter.GetBytes(length), .. BitConverter.GetBytes((ushort)kind), 0, 0, 0, 0];

    public static byte[] Mkfile(string path) => Command(K.Mkfile, Path(path), U64(A.Ino, 257));
    public static byte[] Mkdir(string path) => Command(K.Mkdir, Path(path), U64(A.Ino, 1));
    public static byte[] Symlink(string path, string target) => Command(K.Symlink, Path(path), U64(A.Ino, 1), Attribute(A.PathLink, Bytes(target)));
    public static byte[] Write(string path, ulong offset, byte[] data) => Command(K.Write, Path(path), U64(A.FileOffset, offset), Attribute(A.Data, data));
    public static byte[] Truncate(string path, ulong size) => Command(K.Truncate, Path(path), U64(A.Size, size));
    public static byte[] Rename(string path, string to) => Command(K.Rename, Path(path), Attribute(A.PathTo, Bytes(to)));
    public static byte[] Link(string path, string existing) => Command(K.Link, Path(path), Attribute(A.PathLink, Bytes(existing)));
    public static byte[] Chmod(string path, ulong mode) => Command(K.Chmod, Path(path), U64(A.Mode, mode));

    public static byte[] Clone(string path, ulong offset, ulong length, string source, ulong sourceOffset, byte[]? uuid = null) => Command(
        K.Clone, Path(path), U64(A.FileOffset, offset), U64(A.CloneLength, length), Attribute(A.CloneUuid, uuid ?? Uuid), U64(A.CloneCtransid, 7),
        Attribute(A.ClonePath, Bytes(source)), U64(A.CloneOffset, sourceOffset));

    public static byte[] Encoded(string path, ulong used, ulong decoded, ulong skipped, uint compression, byte[] data, uint? encryption = null, ulong offset = 0) => Command(
        K.EncodedWrite, Path(path), U64(A.FileOffset, offset), U64(A.UnencodedFileLength, used), U64(A.UnencodedLength, decoded), U64(A.UnencodedOffset, skipped),
        U32(A.Compression, compression), encryption is { } e ? U32(A.Encryption, e) : [], OpenData(data));

    /// <summary>The bytes with one of them changed; places are counted from the end when negative.</summary>
    public static byte[] Changed(byte[] bytes, int at, Func<byte, byte> change)
    {
        byte[] changed = [.. bytes];
        at = at < 0 ? changed.Length + at : at;
        changed[at] = change(changed[at]);
        return changed;
    }
}
