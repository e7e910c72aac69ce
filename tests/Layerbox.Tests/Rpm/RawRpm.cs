using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Layerbox.Tests.Rpm;

/// <summary>Writes packages byte by byte, the impossible ones included.</summary>
internal static class RawRpm
{
    public const int U8 = 2, U16 = 3, U32 = 4, U64 = 5, OneString = 6, Bin = 7, StringArray = 8;

    /// <summary>An entry of a header; offset and count are right when they are left out.</summary>
    public sealed record Entry(int Tag, int Type, byte[] Data, int Count)
    {
        public int? Offset { get; init; }
    }

    public static Entry Text(int tag, string value) => new(tag, OneString, [.. Encoding.UTF8.GetBytes(value), 0], 1);

    public static Entry Texts(int tag, params string[] values) => new(tag, StringArray, [.. values.SelectMany(v => (byte[])[.. Encoding.UTF8.GetBytes(v), 0])], values.Length);

    public static Entry Bytes(int tag, params byte[] values) => new(tag, Bin, values, values.Length);

    public static Entry Numbers(int tag, int type, params ulong[] values) => new(tag, type, [.. values.SelectMany(value => Big(value, type))], values.Length);

    public static Entry Int(int tag, params uint[] values) => Numbers(tag, U32, [.. values.Select(v => (ulong)v)]);

    private static byte[] Big(ulong value, int type)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes[(type switch { U16 => 6, U32 => 4, U64 => 0, _ => 7 })..];
    }

    /// <summary>A header structure with its region, or without.</summary>
    public static byte[] Header(int regionTag, params Entry[] entries)
    {
        using MemoryStream index = new(), data = new();
        int all = entries.Length + (regionTag == 0 ? 0 : 1);
        using MemoryStream rest = new();
        foreach (Entry entry in entries)
        {
            int size = entry.Type switch { U16 => 2, U32 => 4, U64 => 8, _ => 1 };
            while (data.Length % size != 0)
                data.WriteByte(0);
            rest.Write(Index(entry.Tag, entry.Type, entry.Offset ?? (int)data.Length, entry.Count));
            data.Write(entry.Data);
        }
        if (regionTag != 0)
        {
            index.Write(Index(regionTag, Bin, (int)data.Length, 16));
            data.Write(Index(regionTag, Bin, -16 * all, 16));
        }
        index.Write(rest.ToArray());
        return Structure(index.ToArray(), data.ToArray());
    }

    public static byte[] Structure(byte[] index, byte[] data, int? entries = null, int? size = null)
    {
        byte[] intro = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(intro.AsSpan(8), entries ?? (index.Length / 16));
        BinaryPrimitives.WriteInt32BigEndian(intro.AsSpan(12), size ?? data.Length);
        return [.. intro, .. index, .. data];
    }

    public static byte[] Index(int tag, int type, int offset, int count)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteInt32BigEndian(bytes, tag);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(4), type);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(8), offset);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(12), count);
        return bytes;
    }

    public static byte[] Lead { get; } = [0xed, 0xab, 0xee, 0xdb, 3, 0, .. new byte[73], 5, .. new byte[16]]; // 5: a signature header follows

#pragma warning disable CA5350, CA5351 // What packages are signed with by their format.
    /// <summary>A package of a main header and a payload, with a signature header that is right.</summary>
    public static byte[] Package(byte[] header, byte[] payload)
    {
        byte[] signature = Header(
            62,
            Text(269, Convert.ToHexStringLower(SHA1.HashData(header))),
            Text(273, Convert.ToHexStringLower(SHA256.HashData(header))),
            Int(1000, (uint)(header.Length + payload.Length)),
            Bytes(1004, MD5.HashData([.. header, .. payload])));
        return Package(signature, header, payload);
    }
#pragma warning restore CA5350, CA5351

    public static byte[] Package(byte[] signature, byte[] header, byte[] payload) =>
        [.. Lead, .. signature, .. new byte[(8 - (signature.Length % 8)) % 8], .. header, .. payload];

    /// <summary>A file of a package that is made here, as its header and its payload have it.</summary>
    public sealed record FileEntry(string Path, uint Mode, string Content = "")
    {
        public string Target { get; init; } = "";
        public uint Inode { get; init; }
        public uint Flags { get; init; }
        public string User { get; init; } = "root";
        public string Caps { get; init; } = "";
        public ulong? Size { get; init; }
        public string? Digest { get; init; }

        /// <summary>Its name in the payload.</summary>
        public string? PayloadName { get; init; }

        public bool InPayload { get; init; } = true;
    }

    /// <summary>A whole good package, with a payload that is not compressed.</summary>
    public static byte[] Package(params FileEntry[] files) => Package(MainHeader(Cpio(files), files), Cpio(files));

    /// <summary>The main header of a package with these files; further entries are put where their tags belong.</summary>
    public static byte[] MainHeader(byte[] payload, FileEntry[] files, params Entry[] more)
    {
        string[] directories = [.. files.Select(f => DirectoryOf(f.Path)).Distinct()];
        List<Entry> entries =
        [
            Text(1000, "raw"), Text(1001, "1"), Text(1002, "1"), Numbers(1009, U32, 0), Text(1022, "noarch"),
            Text(1044, "raw-1-1.src.rpm"), Text(1124, "cpio"), Text(1125, "none"), Texts(5092, Convert.ToHexStringLower(SHA256.HashData(payload))), Int(5093, 8),
        ];
        if (files.Length > 0)
        {
            entries.AddRange(
            [
                files.Any(f => f.Size > uint.MaxValue)
                    ? Numbers(5008, U64, [.. files.Select(f => f.Size ?? (ulong)SizeOf(f))])
                    : Int(1028, [.. files.Select(f => (uint)(f.Size ?? (ulong)SizeOf(f)))]),
                Numbers(1030, U16, [.. files.Select(f => (ulong)f.Mode)]),
                Numbers(1033, U16, [.. files.Select(_ => 0UL)]),
                Int(1034, [.. files.Select(_ => 1600000000U)]),
                Texts(1035, [.. files.Select(f => f.Digest ?? ((f.Mode & 0xF000) == 0x8000 ? Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(f.Content))) : ""))]),
                Texts(1036, [.. files.Select(f => f.Target)]),
                Int(1037, [.. files.Select(f => f.Flags)]),
                Texts(1039, [.. files.Select(f => f.User)]),
                Texts(1040, [.. files.Select(_ => "root")]),
                Int(1095, [.. files.Select(_ => 1U)]),
                Int(1096, [.. files.Select((f, i) => f.Inode == 0 ? (uint)i + 1000 : f.Inode)]),
                Int(1116, [.. files.Select(f => (uint)Array.IndexOf(directories, DirectoryOf(f.Path)))]),
                Texts(1117, [.. files.Select(f => f.Path[DirectoryOf(f.Path).Length..])]),
                Texts(1118, directories),
                Texts(5010, [.. files.Select(f => f.Caps)]),
                Int(5011, 8),
            ]);
        }
        foreach (Entry entry in more)
        {
            entries.RemoveAll(e => e.Tag == entry.Tag);
            if (entry.Count > 0)
                entries.Add(entry);
        }
        return Header(63, [.. entries.OrderBy(e => e.Tag)]);
    }

    private static string DirectoryOf(string path) => path[..(path.LastIndexOf('/') + 1)];

    private static int SizeOf(FileEntry file) => Encoding.UTF8.GetByteCount((file.Mode & 0xF000) == 0xA000 ? file.Target : file.Content);

    /// <summary>A payload: in the order given, hard links with their bytes at the last.</summary>
    public static byte[] Cpio(params FileEntry[] files)
    {
        using MemoryStream archive = new();
        for (int i = 0; i < files.Length; i++)
        {
            FileEntry file = files[i];
            if (!file.InPayload)
                continue;
            uint inode = file.Inode == 0 ? (uint)i + 1000 : file.Inode;
            bool isLast = !files.Skip(i + 1).Any(f => f.Inode == file.Inode && file.Inode != 0);
            string data = (file.Mode & 0xF000) == 0xA000 ? file.Target : isLast ? file.Content : "";
            Member(archive, file.PayloadName ?? "." + file.Path, file.Mode, Encoding.UTF8.GetBytes(data), inode, files.Count(f => f.Inode == file.Inode && file.Inode != 0));
        }
        Member(archive, "TRAILER!!!", 0, [], 0, 1);
        return archive.ToArray();
    }

    public static void Member(Stream archive, string name, uint mode, byte[] data, uint inode = 1, int links = 1, uint? size = null)
    {
        byte[] nameBytes = [.. Encoding.UTF8.GetBytes(name), 0];
        uint[] fields = [inode, mode, 0, 0, (uint)links, 1600000000, size ?? (uint)data.Length, 0, 0, 0, 0, (uint)nameBytes.Length, 0];
        archive.Write("070701"u8);
        foreach (uint field in fields)
            archive.Write(Encoding.ASCII.GetBytes(field.ToString("x8", CultureInfo.InvariantCulture)));
        archive.Write(nameBytes);
        Pad(archive);
        archive.Write(data);
        Pad(archive);
    }

    /// <summary>A member that is only a number of the header's list.</summary>
    public static void Stripped(Stream archive, uint index, byte[] data)
    {
        archive.Write("07070X"u8);
        archive.Write(Encoding.ASCII.GetBytes(index.ToString("x8", CultureInfo.InvariantCulture)));
        Pad(archive);
        archive.Write(data);
        Pad(archive);
    }

    private static void Pad(Stream archive)
    {
        while (archive.Length % 4 != 0)
            archive.WriteByte(0);
    }
}
