using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Layerbox.FileTree;

/// <summary>
/// The name of a filesystem's state: SHA-256 of a canonical encoding. Equal states have equal digests on any machine at any
/// time; what is no state (change and access times, inode numbers, holes, <see cref="Inode.MadeBy"/>) does not enter.
/// </summary>
public static class TreeDigest
{
    // docs/digest.md is this table in prose. Integers are little-endian, lengths come before what they measure, so no two
    // states have one encoding. A change here is a new version tag.
    //
    //   tag        "layerbox tree 1\n"
    //   an entry for every path in canonical order, the root first:
    //     path     u32 length, bytes ("usr/bin/sh", the root is empty)
    //     kind     u8, FileKind; or 255: a further name of an inode that stood before, and then only
    //                first   u64 number of the entry that is its first name, counted from 0
    //     mode     u32    uid u32    gid u32
    //     mtime    i64 seconds, u32 nanoseconds
    //     xattrs   u32 count, then for each, sorted: u32 length, name, u32 length, value
    //     File           u64 size, SHA-256 of the bytes (32)
    //     Symlink        u32 length, target
    //     CharDevice, BlockDevice   u32 major, u32 minor
    //   the end    u32 0xFFFFFFFF where a path's length would be, u64 number of entries
    private static ReadOnlySpan<byte> Tag => "layerbox tree 1\n"u8;
    private const byte FurtherName = 255;
    private const uint End = 0xFFFFFFFF;

    /// <summary>How much is gathered before it is hashed: large enough that calls into the hash do not count.</summary>
    private const int BufferSize = 32 * 1024;

    /// <summary>The digest, 32 bytes. Contents whose own digest is not known yet are read.</summary>
    public static byte[] Compute(Tree tree)
    {
        using Encoder encoder = new();
        encoder.Put(Tag);
        Dictionary<Inode, ulong> firstNames = new(ReferenceEqualityComparer.Instance);
        ulong entry = 0;
        for (TreeCursor at = new(tree); at.MoveNext(); entry++)
        {
            encoder.PutMeasured(at.Path);
            if (at.Inode.Links > 1 && !firstNames.TryAdd(at.Inode, entry))
            {
                encoder.Put(FurtherName);
                encoder.Put(firstNames[at.Inode]);
            }
            else
            {
                PutInode(encoder, at.Inode);
            }
        }
        encoder.Put(End);
        encoder.Put(entry);
        return encoder.Finish();
    }

    private static void PutInode(Encoder encoder, Inode inode)
    {
        encoder.Put((byte)inode.Kind);
        encoder.Put(inode.Mode);
        encoder.Put(inode.Uid);
        encoder.Put(inode.Gid);
        encoder.Put((ulong)inode.ModificationTime.Seconds);
        encoder.Put(inode.ModificationTime.Nanoseconds);
        encoder.Put((uint)inode.Xattrs.Count);
        for (int i = 0; i < inode.Xattrs.Count; i++)
        {
            encoder.PutMeasured(inode.Xattrs.Items[i].Name);
            encoder.PutMeasured(inode.Xattrs.Items[i].Value);
        }
        switch (inode.Kind)
        {
            case FileKind.File:
                encoder.Put((ulong)inode.Content!.Size);
                encoder.Put(inode.Content.Digest);
                break;
            case FileKind.Symlink:
                encoder.PutMeasured(inode.Target);
                break;
            case FileKind.CharDevice or FileKind.BlockDevice:
                encoder.Put(inode.DeviceMajor);
                encoder.Put(inode.DeviceMinor);
                break;
        }
    }

    private sealed class Encoder : IDisposable
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        private int _used;

        public void Put(byte value) => Room(sizeof(byte))[0] = value;
        public void Put(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Room(sizeof(uint)), value);
        public void Put(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Room(sizeof(ulong)), value);

        public void Put(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length <= BufferSize)
            {
                bytes.CopyTo(Room(bytes.Length));
                return;
            }
            Flush();
            _hash.AppendData(bytes);
        }

        public void PutMeasured(ReadOnlySpan<byte> bytes)
        {
            Put((uint)bytes.Length);
            Put(bytes);
        }

        public byte[] Finish()
        {
            Flush();
            return _hash.GetHashAndReset();
        }

        public void Dispose()
        {
            _hash.Dispose();
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        private Span<byte> Room(int length)
        {
            if (_used + length > BufferSize)
                Flush();
            Span<byte> room = _buffer.AsSpan(_used, length);
            _used += length;
            return room;
        }

        private void Flush()
        {
            _hash.AppendData(_buffer.AsSpan(0, _used));
            _used = 0;
        }
    }
}
