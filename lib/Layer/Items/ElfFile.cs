using System.Buffers.Binary;
using System.Text;

namespace Layerbox.Layer;

/// <summary>
/// What the dynamic loader reads of an executable or library: machine, interpreter, needed libraries and where to look for them
/// (elf(5): ELF header, PT_INTERP, PT_DYNAMIC with DT_NEEDED, DT_RPATH, DT_RUNPATH). 32 and 64 bit, little endian.
/// </summary>
internal sealed record ElfFile(int Class, ushort Machine, string? Interpreter, IReadOnlyList<string> Needed, IReadOnlyList<string> RunPath, IReadOnlyList<string> Rpath)
{
    private const uint PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3;
    private const ulong DT_NULL = 0, DT_NEEDED = 1, DT_STRTAB = 5, DT_RPATH = 15, DT_RUNPATH = 29;
    private const int HeaderSize = 64, MaxHeaders = 1024, MaxDynamic = 1 << 20, MaxString = 4096;

    private readonly record struct Segment(uint Type, long Offset, ulong Address, long Size);

    /// <summary>Null when the bytes are no ELF file.</summary>
    /// <exception cref="InvalidDataException">They begin like one, but are cut off or contradict themselves.</exception>
    public static ElfFile? Read(Stream file)
    {
        byte[] header = new byte[HeaderSize];
        int got = file.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false);
        if (got < 4 || !header.AsSpan(0, 4).SequenceEqual("\u007fELF"u8))
            return null;
        if (got < 52 || header[4] is not (1 or 2) || header[5] != 1)
            throw new InvalidDataException("an ELF file that is cut off, or of a byte order that is not known here");
        bool is64 = header[4] == 2;
        long tableOffset = is64 ? U64(header, 32) : U32(header, 28);
        int entrySize = U16(header, is64 ? 54 : 42), count = U16(header, is64 ? 56 : 44);
        if (count > MaxHeaders || entrySize < (is64 ? 56 : 32))
            throw new InvalidDataException("an ELF file with an impossible table of segments");
        byte[] table = Bytes(file, tableOffset, count * entrySize);
        Segment[] segments = [.. Enumerable.Range(0, count).Select(i => SegmentAt(table.AsSpan(i * entrySize), is64))];

        string? interpreter = segments.FirstOrDefault(s => s.Type == PT_INTERP) is { Size: > 0 } interp ? String(file, interp.Offset) : null;
        List<ulong> needed = [], runPath = [], rpath = [];
        ulong strings = 0;
        if (segments.FirstOrDefault(s => s.Type == PT_DYNAMIC) is { Size: > 0 } dynamic)
        {
            byte[] entries = Bytes(file, dynamic.Offset, (int)Math.Min(dynamic.Size, MaxDynamic));
            int width = is64 ? 16 : 8;
            for (int at = 0; at + width <= entries.Length; at += width)
            {
                ulong tag = is64 ? (ulong)U64(entries, at) : U32(entries, at), value = is64 ? (ulong)U64(entries, at + 8) : U32(entries, at + 4);
                if (tag == DT_NULL)
                    break;
                if (tag == DT_STRTAB)
                    strings = value;
                (tag switch { DT_NEEDED => needed, DT_RPATH => rpath, DT_RUNPATH => runPath, _ => null })?.Add(value);
            }
        }
        return new ElfFile(header[4], U16(header, 18), interpreter, Texts(needed), Folders(runPath), Folders(rpath));

        string TextAt(ulong offset)
        {
            ulong address = strings + offset;
            Segment load = segments.FirstOrDefault(s => s.Type == PT_LOAD && address >= s.Address && address - s.Address < (ulong)s.Size);
            return load.Size > 0 ? String(file, load.Offset + (long)(address - load.Address)) : throw new InvalidDataException("an ELF file whose strings lie outside of it");
        }

        List<string> Texts(List<ulong> offsets) => [.. offsets.Select(TextAt)];
        List<string> Folders(List<ulong> offsets) => [.. offsets.SelectMany(o => TextAt(o).Split(':', StringSplitOptions.RemoveEmptyEntries))];
    }

    private static Segment SegmentAt(ReadOnlySpan<byte> p, bool is64) => is64
        ? new Segment(BinaryPrimitives.ReadUInt32LittleEndian(p), BinaryPrimitives.ReadInt64LittleEndian(p[8..]), BinaryPrimitives.ReadUInt64LittleEndian(p[16..]), BinaryPrimitives.ReadInt64LittleEndian(p[32..]))
        : new Segment(BinaryPrimitives.ReadUInt32LittleEndian(p), BinaryPrimitives.ReadUInt32LittleEndian(p[4..]), BinaryPrimitives.ReadUInt32LittleEndian(p[8..]), BinaryPrimitives.ReadUInt32LittleEndian(p[16..]));

    private static byte[] Bytes(Stream file, long offset, int count)
    {
        byte[] bytes = new byte[count];
        if (offset < 0 || offset > file.Length)
            throw new InvalidDataException("an ELF file that is cut off");
        file.Position = offset;
        return file.ReadAtLeast(bytes, count, throwOnEndOfStream: false) == count ? bytes : throw new InvalidDataException("an ELF file that is cut off");
    }

    private static string String(Stream file, long offset)
    {
        byte[] bytes = new byte[MaxString];
        if (offset < 0 || offset > file.Length)
            throw new InvalidDataException("an ELF file that is cut off");
        file.Position = offset;
        int length = bytes.AsSpan(0, file.ReadAtLeast(bytes, MaxString, throwOnEndOfStream: false)).IndexOf((byte)0);
        return length >= 0 ? Encoding.UTF8.GetString(bytes, 0, length) : throw new InvalidDataException("an ELF file with a string that does not end");
    }

    private static ushort U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));
    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));
    private static long U64(byte[] bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
}
