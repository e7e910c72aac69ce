using System.Buffers;
using System.Buffers.Text;

namespace Layerbox.FileTree;

/// <summary>
/// A tree as a manifest in the format of BSD's mtree(5), the variant with full paths, as bsdtar writes and reads it. Extended
/// attributes have no place in it, and of hard links it has their number only. libarchive does not know its sockets.
/// </summary>
public static class Mtree
{
    private const int FlushSize = 64 * 1024;

    /// <summary>The bytes of a name that stand for themselves; the others, among them blanks, quotes, '#', '=' and those of patterns, are written as \ooo.</summary>
    private static readonly SearchValues<byte> Plain =
        SearchValues.Create("!$%&'()+,-./0123456789:;<>@ABCDEFGHIJKLMNOPQRSTUVWXYZ]^_`abcdefghijklmnopqrstuvwxyz{|}~"u8);

    /// <summary>Writes the manifest, paths in canonical order. Contents whose digest is not known yet are read.</summary>
    public static void Write(Stream stream, Tree tree)
    {
        ArrayBufferWriter<byte> to = new(2 * FlushSize);
        to.Write("#mtree\n"u8);
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            to.Write(at.Depth == 0 ? "."u8 : "./"u8);
            WriteEscaped(to, at.Path);
            WriteKeywords(to, at.Inode);
            if (!at.Inode.IsDirectory && at.Inode.Links > 1)
                WriteNumber(to, " nlink="u8, at.Inode.Links);
            to.Write("\n"u8);
            if (to.WrittenCount >= FlushSize)
            {
                stream.Write(to.WrittenSpan);
                to.ResetWrittenCount();
            }
        }
        stream.Write(to.WrittenSpan);
    }

    private static void WriteKeywords(ArrayBufferWriter<byte> to, Inode inode)
    {
        to.Write(inode.Kind switch
        {
            FileKind.Directory => " type=dir mode=0"u8,
            FileKind.File => " type=file mode=0"u8,
            FileKind.Symlink => " type=link mode=0"u8,
            FileKind.CharDevice => " type=char mode=0"u8,
            FileKind.BlockDevice => " type=block mode=0"u8,
            FileKind.Fifo => " type=fifo mode=0"u8,
            _ => " type=socket mode=0"u8,
        });
        WriteOctal(to, inode.Mode, 3);
        WriteNumber(to, " uid="u8, inode.Uid);
        WriteNumber(to, " gid="u8, inode.Gid);
        WriteNumber(to, " time="u8, inode.ModificationTime.Seconds);
        // Readers take what follows the point as a number of nanoseconds; all nine digits make it right as a fraction too.
        WriteNumber(to, "."u8, inode.ModificationTime.Nanoseconds, 9);
        switch (inode.Kind)
        {
            case FileKind.File:
                WriteNumber(to, " size="u8, inode.Content!.Size);
                to.Write(" sha256digest="u8);
                Hex.Write(inode.Content.Digest, to.GetSpan(64));
                to.Advance(64);
                break;
            case FileKind.Symlink:
                to.Write(" link="u8);
                WriteEscaped(to, inode.Target);
                break;
            case FileKind.CharDevice or FileKind.BlockDevice:
                WriteNumber(to, " device=linux,"u8, inode.DeviceMajor);
                WriteNumber(to, ","u8, inode.DeviceMinor);
                break;
        }
    }

    private static void WriteNumber(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> keyword, long value, byte digits = 1)
    {
        to.Write(keyword);
        Utf8Formatter.TryFormat(value, to.GetSpan(20), out int written, new StandardFormat('D', digits));
        to.Advance(written);
    }

    private static void WriteOctal(ArrayBufferWriter<byte> to, uint value, int digits)
    {
        Span<byte> text = to.GetSpan(11);
        while (digits < 11 && value >> (3 * digits) != 0)
            digits++;
        for (int i = digits - 1; i >= 0; i--, value >>= 3)
            text[i] = (byte)('0' + (value & 7));
        to.Advance(digits);
    }

    private static void WriteEscaped(ArrayBufferWriter<byte> to, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int plain = bytes.IndexOfAnyExcept(Plain);
            to.Write(plain < 0 ? bytes : bytes[..plain]);
            if (plain < 0)
                return;
            to.Write("\\"u8);
            WriteOctal(to, bytes[plain], 3);
            bytes = bytes[(plain + 1)..];
        }
    }
}
