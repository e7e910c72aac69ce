using System.IO.Compression;
using Layerbox.SendStream;
using static Layerbox.Tests.SendStream.RawStream;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

/// <summary>Streams that are not what they should be, each with all that a check finds: "code offset index".</summary>
internal static class BadStreams
{
    // The commands of most streams here: the subvolume is at 17, what follows at 66, what follows a mkfile or mkdir of one letter there at 93.
    private static readonly byte[] s_x = "x"u8.ToArray();

    /// <summary>Streams that look odd and are not.</summary>
    public static IReadOnlyList<(string Name, byte[] Bytes)> Odd => s_odd.Value;

    private static readonly Lazy<IReadOnlyList<(string, byte[])>> s_odd = new(() =>
    [
        ("header and end", Vol()),
        ("attributes in another order", Stream(1, Command(K.Subvol, U64(A.Ctransid, 7), Attribute(A.Uuid, Uuid), Path("vol")), Mkfile("a"), Command(K.Write, Attribute(A.Data, s_x), U64(A.FileOffset, 0), Path("a")), End)),
        ("an attribute more than the command needs", Vol(Command(K.Mkfile, Path("a"), U64(A.Ino, 1), U64(A.Size, 9)))),
        ("the longest attribute of version 1", Vol(Mkfile("a"), Write("a", 0, X(65_535)))),
        ("a megabyte in a command of version 2", Vol2(Mkfile("a"), Command(K.Write, Path("a"), U64(A.FileOffset, 0), OpenData(X(1 << 20))))),
        ("no data", Vol2(Mkfile("a"), Command(K.Write, Path("a"), U64(A.FileOffset, 0), OpenData()))),
        ("extreme times", Vol2(Mkfile("a"), Command(K.Utimes, Path("a"), Time(A.Atime, -1, 999_999_999), Time(A.Mtime, 1L << 62), Time(A.Ctime, 0), Time(A.Otime, 1, 1)))),
        ("two streams", [.. Vol(Mkfile("a")), .. Stream(2, Snapshot, Command(K.Unlink, Path("a")), End)]),
        ("two subvolumes with one end", Vol(Mkfile("a"), Snapshot, Command(K.Unlink, Path("a")))),
        ("a state against itself", [.. Vol(Mkfile("a")), .. Stream(1, Command(K.Snapshot, Path("vol"), Attribute(A.Uuid, Uuid), U64(A.Ctransid, 7), Attribute(A.CloneUuid, Uuid), U64(A.CloneCtransid, 7)), Mkfile("b"), End)]),
        ("an exabyte of nothing", Vol(Mkfile("a"), Truncate("a", long.MaxValue), Mkfile("b"), Clone("b", 0, long.MaxValue, "a", 0))),
        ("a clone of 3 GiB", Vol(Mkfile("a"), Truncate("a", 4UL << 30), Clone("a", 4UL << 30, 3UL << 30, "a", 0))),
        ("encoded, shorter than said", Vol2(Mkfile("a"), Encoded("a", 4096, 4096, 0, 2, ZstdFrame(0, 7 << 3)))),
        ("encoded, with padding", Vol2(Mkfile("a"), Encoded("a", 4, 4, 0, 2, [.. ZstdFrame(0x20, 4), .. new byte[4000]]))),
        ("encoded, much longer than said", Vol2(Mkfile("a"), Encoded("a", 131_072, 131_072, 0, 1, Zlib(new byte[20 << 20])))),
        ("lzo, where a length would straddle sectors", Vol2(Mkfile("a"), Encoded("a", 4070, 4096, 0, 3, Lzo))),
    ]);

    public static IReadOnlyList<(string Name, byte[] Bytes, string Findings)> All => s_all.Value;

    private static readonly Lazy<IReadOnlyList<(string, byte[], string)>> s_all = new(() => [.. Headers, .. Frames, .. Attributes, .. Order, .. Paths, .. Names, .. Numbers, .. EncodedWrites]);

    private static byte[] Vol(params byte[][] parts) => Stream(1, [Subvol, .. parts, End]);
    private static byte[] Vol2(params byte[][] parts) => Stream(2, [Subvol, .. parts, End]);
    private static byte[] X(int count) => [.. Enumerable.Repeat((byte)'x', count)];

    private static IEnumerable<(string, byte[], string)> Headers =>
    [
        ("empty", [], "empty_input 0 1"),
        ("one-byte", "1"u8.ToArray(), "not_a_send_stream 0 1"),
        ("short-header", Header()[..16], "header_cut 0 1"),
        ("magic-cut", Header()[..5], "header_cut 0 1"),
        ("wrong-magic", "12345678901234567"u8.ToArray(), "not_a_send_stream 0 1"),
        ("magic-no-nul", Changed(Header(), 12, _ => (byte)'X'), "not_a_send_stream 0 1"),
        ("magic-case", Changed(Header(), 0, _ => (byte)'B'), "not_a_send_stream 0 1"),
        ("gzip-instead", [0x1F, 0x8B, 8, 0, .. new byte[40]], "not_a_send_stream 0 1"),
        ("zstd-instead", [0x28, 0xB5, 0x2F, 0xFD, .. new byte[40]], "not_a_send_stream 0 1"),
        ("version4", Stream(4, Subvol, End), "version_unknown 13 1"),
        ("version-max", Stream(uint.MaxValue, Subvol, End), "version_unknown 13 1"),
        ("version-0", Stream(0, Subvol, End), "version_zero 17 1"),
        ("header-only", Header(), "no_end 17 1"),
        ("bko-200085-zero-version-short", Header(0), "no_end 17 1"),
    ];

    private static IEnumerable<(string, byte[], string)> Frames =>
    [
        ("no-end-cmd", Stream(1, Subvol, Mkfile("a")), "no_end 93 3"),
        ("cut-in-cmd-header", Stream(1, Subvol, Mkfile("a")[..5]), "command_cut 66 2"),
        ("cut-in-payload", Stream(1, Subvol, Write("a", 0, X(100))[..60]), "command_cut 66 2"),
        ("len-4GiB", Stream(1, Subvol, FrameHeader(uint.MaxValue, K.Write)), "command_too_long 66 2"),
        ("len-2GiB-short-file", Stream(2, Subvol, FrameHeader(int.MaxValue, K.Write), X(100)), "command_too_long 66 2"),
        ("len-64MiB-short-file", Stream(2, Subvol, FrameHeader(64 << 20, K.Write), X(100)), "command_cut 66 2"),
        ("len-zero-subvol", Stream(1, Command(K.Subvol)), "attribute_missing 17 1; no_end 27 2"),
        ("crc-flip", Stream(1, Subvol, Changed(Command(K.Mkfile, Path("a"), U64(A.Ino, 1)), 6, b => (byte)(b ^ 1))), "crc_mismatch 66 2"),
        ("crc-ffff-seed", Stream(1, InIscsiForm(End)), "crc_mismatch 17 1"),
        ("payload-flip", Stream(1, Subvol, Changed(Write("a", 0, X(100)), -3, b => (byte)(b ^ 4))), "crc_mismatch 66 2"),
        ("cmd-0", Vol(Command(0, Path("a"))), "command_unknown 66 2"),
        ("cmd-27", Vol(Command((K)27, Path("a"))), "command_unknown 66 2"),
        ("cmd-65535", Vol(Command((K)65535)), "command_unknown 66 2"),
        ("v2-cmd-in-v1", Vol(Mkfile("a"), Command(K.Fallocate, Path("a"), U32(A.FallocateMode, 3), U64(A.FileOffset, 0), U64(A.Size, 8))), "command_of_newer_version 93 3"),
        ("v3-cmd-in-v2", Vol2(Mkfile("a"), Command(K.EnableVerity, Path("a"), Attribute(A.VerityAlgorithm, 1), U32(A.VerityBlockSize, 4096), Attribute(A.VeritySalt), Attribute(A.VeritySignature))), "command_of_newer_version 93 3"),
        ("write-after-end", [.. Vol(), .. Mkfile("a"), .. End], "trailing_bytes 76 3"),
        ("garbage-after-end", [.. Vol(), .. "garbage!"u8], "trailing_bytes 76 3"),
        ("zeros-after-end", [.. Vol(), .. new byte[4096]], "trailing_bytes 76 3"),
        ("header-after-end", [.. Vol(), .. Header()], "no_end 93 3"),
        ("restart-in-header", [.. Stream(1, Subvol, Mkfile("a")[..3]), .. Vol()], "restarted 66 2"),
        ("restart-in-payload", [.. Stream(1, Subvol, Mkfile("a")[..20]), .. Vol()], "restarted 66 2"),
        ("restart-between", [.. Stream(1, Subvol), .. Vol()], "restarted 66 2"),
    ];

    private static IEnumerable<(string, byte[], string)> Attributes =>
    [
        ("tlv-type-0", Vol(Command(K.Mkfile, Attribute(0), Path("a"), U64(A.Ino, 1))), "attribute_unknown 66 2"),
        ("tlv-type-36", Vol(Command(K.Mkfile, Path("a"), U64(A.Ino, 1), Attribute((A)36, s_x))), "attribute_unknown 66 2"),
        ("tlv-type-only-1-byte", Vol(Command(K.Mkfile, Path("a"), U64(A.Ino, 1), [15])), "attribute_cut 66 2"),
        ("tlv-no-length", Vol(Command(K.Mkfile, U64(A.Ino, 1), [15, 0])), "attribute_cut 66 2"),
        ("tlv-overrun", Vol(Command(K.Mkfile, U64(A.Ino, 1), [15, 0, 244, 1, (byte)'a'])), "attribute_overrun 66 2"),
        ("tlv-missing-path", Vol(Command(K.Mkfile, U64(A.Ino, 1))), "attribute_missing 66 2"),
        ("tlv-dup-path", Vol(Command(K.Mkfile, Path("a"), Path("b"), U64(A.Ino, 1))), "attribute_repeated 66 2"),
        ("u8-long", Stream(3, Subvol, Mkfile("a"), Command(K.EnableVerity, Path("a"), Attribute(A.VerityAlgorithm, 1, 0)), End), "attribute_length 93 3"),
        ("u32-short", Vol2(Mkfile("a"), Command(K.Fallocate, Path("a"), Attribute(A.FallocateMode, 3, 0))), "attribute_length 93 3"),
        ("u64-short", Vol(Command(K.Mkfile, Path("a"), Attribute(A.Ino, 1, 2, 3, 4))), "attribute_length 66 2"),
        ("u64-long", Vol(Command(K.Mkfile, Path("a"), Attribute(A.Ino, new byte[9]))), "attribute_length 66 2"),
        ("uuid-15", Stream(1, Command(K.Subvol, Path("vol"), Attribute(A.Uuid, Uuid[..15]), U64(A.Ctransid, 7)), End), "attribute_length 17 1"),
        ("timespec-8", Vol(Mkfile("a"), Command(K.Utimes, Path("a"), Attribute(A.Atime, new byte[8]), Time(A.Mtime, 0), Time(A.Ctime, 0))), "attribute_length 93 3"),
        ("timespec-nsec", Vol(Mkfile("a"), Command(K.Utimes, Path("a"), Time(A.Atime, 0, uint.MaxValue), Time(A.Mtime, 0, 1_000_000_000), Time(A.Ctime, 0))), "time_invalid 93 3"),
        ("v2-data-not-last", Vol2(Mkfile("a"), Command(K.Write, Path("a"), OpenData([.. "abcd"u8]), U64(A.FileOffset, 0))), "attribute_missing 93 3"),
        ("many-unknown-attrs", Vol(Command(K.Mkfile, [.. Enumerable.Repeat(Attribute(A.XattrName), 16_000)])), "attribute_repeated 66 2"),
        ("two-faulty-commands", Vol(Command(K.Mkfile), Command((K)99), Mkfile("a"), Mkfile("a")), "attribute_missing 66 2; command_unknown 76 3; exists 113 5"),
    ];

    private static IEnumerable<(string, byte[], string)> Order =>
    [
        ("no-subvol-first", Stream(1, Mkfile("a"), Mkfile("b"), End), "no_subvolume 17 1"),
        ("two-subvols", Stream(1, Subvol, Subvol, End), "subvolume_repeated 66 2"),
        ("snapshot-unknown-parent", Stream(1, Snapshot, End), "parent_unknown 17 1"),
        ("subvol-path-slash", Stream(1, Command(K.Subvol, Path("a/b"), Attribute(A.Uuid, Uuid), U64(A.Ctransid, 7)), End), "subvolume_name 17 1"),
        ("subvol-path-dotdot", Stream(1, Command(K.Subvol, Path(".."), Attribute(A.Uuid, Uuid), U64(A.Ctransid, 7)), End), "subvolume_name 17 1"),
    ];

    private static IEnumerable<(string, byte[], string)> Paths =>
    [
        ("path-dotdot", Vol(Mkfile("../../etc/passwd")), "path_dots 66 2"),
        ("path-abs", Vol(Mkfile("/etc/passwd")), "path_absolute 66 2"),
        ("path-empty", Vol(Mkfile("")), "path_is_root 66 2"),
        ("path-dot", Vol(Mkfile(".")), "path_dots 66 2"),
        ("path-dslash", Vol(Mkfile("a//b")), "path_invalid 66 2"),
        ("path-trailing-slash", Vol(Mkdir("a/")), "path_invalid 66 2"),
        ("path-midup", Vol(Mkfile("x/../../y")), "path_dots 66 2"),
        ("path-to-leaves", Vol(Mkfile("a"), Rename("a", "../a")), "path_dots 93 3"),
        ("path-link-absolute", Vol(Link("a", "/etc/shadow")), "path_absolute 66 2"),
        ("path-nul", Vol(Mkfile("a\0b")), "path_nul 66 2"),
        ("path-notutf8", Vol(Mkfile("\xff\xfe")), "name_not_utf8 66 2"),
        ("path-newline", Vol(Mkfile("a\nb")), "name_control 66 2"),
        ("path-4096", Vol(Mkfile(new string('p', 4096))), "path_too_long 66 2"),
        ("path-60000", Vol(Mkfile(string.Concat(Enumerable.Repeat("q/", 30_000)))), "path_too_long 66 2"),
        ("path-comp256", Vol(Mkfile(new string('c', 256))), "name_too_long 66 2"),
        ("deep-100k", Vol([.. Enumerable.Range(1, 2047).Select(depth => Command(K.Mkdir, Path(string.Join('/', Enumerable.Repeat("d", depth))), U64(A.Ino, (ulong)depth)))]), "path_long 4239378 2048"),
    ];

    private static IEnumerable<(string, byte[], string)> Names =>
    [
        ("write-missing-file", Vol(Write("nope", 0, s_x)), "not_found 66 2"),
        ("rename-missing", Vol(Rename("no", "x")), "not_found 66 2"),
        ("rename-onto-self-child", Vol(Mkdir("d"), Rename("d", "d/e")), "into_itself 93 3"),
        ("link-missing", Vol(Link("n", "no")), "not_found 66 2"),
        ("link-to-dir", Vol(Mkdir("d"), Link("n", "d")), "is_a_directory 93 3"),
        ("link-over-existing", Vol(Mkfile("a"), Mkfile("b"), Link("a", "b")), "exists 120 4"),
        ("unlink-dir", Vol(Mkdir("d"), Command(K.Unlink, Path("d"))), "is_a_directory 93 3"),
        ("rmdir-nonempty", Vol(Mkdir("d"), Mkfile("d/a"), Command(K.Rmdir, Path("d"))), "not_empty 122 4"),
        ("rmdir-root", Vol(Command(K.Rmdir, Path(""))), "path_is_root 66 2"),
        ("mkfile-exists", Vol(Mkfile("a"), Mkfile("a")), "exists 93 3"),
        ("mkdir-under-file", Vol(Mkfile("a"), Mkdir("a/b")), "not_a_directory 93 3"),
        ("write-through-symlink", Vol(Symlink("l", "/etc"), Write("l/passwd", 0, s_x)), "through_symlink 101 3"),
        ("write-to-symlink", Vol(Symlink("l", "/etc/passwd"), Write("l", 0, s_x)), "through_symlink 108 3"),
        ("chmod-symlink", Vol(Symlink("l", "/etc/passwd"), Chmod("l", 0x1B6)), "through_symlink 108 3"),
        ("truncate-fifo", Vol(Command(K.Mkfifo, Path("a"), U64(A.Rdev, 0), U64(A.Mode, 0x1180)), Truncate("a", 0)), "not_a_file 105 3"),
        ("xattr-remove-missing", Vol(Mkfile("a"), Command(K.RemoveXattr, Path("a"), Attribute(A.XattrName, Bytes("user.x")))), "xattr_missing 93 3"),
        ("xattr-name-empty", Vol(Mkfile("a"), Command(K.SetXattr, Path("a"), Attribute(A.XattrName), Attribute(A.XattrData, s_x))), "xattr_name 93 3"),
        ("xattr-name-long", Vol(Mkfile("a"), Command(K.SetXattr, Path("a"), Attribute(A.XattrName, X(256)), Attribute(A.XattrData, s_x))), "xattr_name 93 3"),
        ("symlink-to-nothing", Vol(Symlink("a", "")), "target_invalid 66 2"),
    ];

    private static IEnumerable<(string, byte[], string)> Numbers =>
    [
        ("write-offset-overflow", Vol(Mkfile("a"), Write("a", ulong.MaxValue, X(2))), "range_too_large 93 3"),
        ("truncate-huge", Vol(Mkfile("a"), Truncate("a", ulong.MaxValue)), "range_too_large 93 3"),
        ("truncate-EiB-then-write", Vol(Mkfile("a"), Truncate("a", long.MaxValue), Write("a", long.MaxValue, s_x)), "range_too_large 120 4"),
        ("update-extent-overflow", Vol(Mkfile("a"), Command(K.UpdateExtent, Path("a"), U64(A.FileOffset, ulong.MaxValue), U64(A.Size, ulong.MaxValue))), "no_data 93 3; range_too_large 93 3"),
        ("clone-unknown-uuid", Vol(Mkfile("b"), Clone("b", 0, 4096, "a", 0, [.. Enumerable.Repeat((byte)0xEE, 16)])), "clone_source_unknown 93 3"),
        ("clone-missing-src", Vol(Mkfile("b"), Clone("b", 0, 4096, "nope", 0)), "not_found 93 3"),
        ("clone-past-eof", Vol(Mkfile("a"), Write("a", 0, X(4096)), Mkfile("b"), Clone("b", 0, 1UL << 40, "a", 0)), "clone_range 4247 5"),
        ("clone-overflow", Vol(Mkfile("a"), Mkfile("b"), Clone("b", ulong.MaxValue - 4095, 8192, "a", ulong.MaxValue)), "range_too_large 120 4"),
        ("clone-len-3GiB", Vol(Mkfile("a"), Mkfile("b"), Clone("b", 0, 3UL << 30, "a", 0)), "clone_range 120 4"),
        ("clone-self-overlap", Vol(Mkfile("b"), Write("b", 0, X(8192)), Clone("b", 4096, 8192, "b", 0)), "clone_overlap 8316 4"),
        ("mode-too-large", Vol(Mkfile("a"), Chmod("a", 0x81A4)), "mode_invalid 93 3"),
        ("id-of-nobody", Vol(Mkfile("a"), Command(K.Chown, Path("a"), U64(A.Uid, uint.MaxValue), U64(A.Gid, 0))), "id_invalid 93 3"),
        ("device-of-no-kind", Vol(Command(K.Mknod, Path("a"), U64(A.Rdev, 0), U64(A.Mode, 0x81A4))), "device_invalid 66 2"),
        ("device-number-too-large", Vol(Command(K.Mknod, Path("a"), U64(A.Rdev, 1UL << 32), U64(A.Mode, 0x21A4))), "device_invalid 66 2"),
        ("fallocate-mode", Vol2(Mkfile("a"), Command(K.Fallocate, Path("a"), U32(A.FallocateMode, 8), U64(A.FileOffset, 0), U64(A.Size, 8))), "fallocate_mode_unknown 93 3"),
    ];

    private static IEnumerable<(string, byte[], string)> EncodedWrites =>
    [
        .. new (string, byte[], string)[]
        {
            ("comp-99", Encoded("a", 4096, 4096, 0, 99, s_x), "compression_unknown"),
            ("encrypted", Encoded("a", 4096, 4096, 0, 0, X(4096), encryption: 1), "encryption_unknown"),
            ("garbage-zlib", Encoded("a", 4096, 4096, 0, 1, X(100)), "encoded_corrupt"),
            ("garbage-zstd", Encoded("a", 4096, 4096, 0, 2, X(100)), "encoded_corrupt"),
            ("garbage-lzo", Encoded("a", 4096, 4096, 0, 3, [.. Enumerable.Repeat((byte)255, 100)]), "encoded_corrupt"),
            ("unenc-1EiB", Encoded("a", 4096, 1UL << 60, 0, 2, s_x), "decoded_too_long"),
            ("offset-past", Encoded("a", 4096, 4096, 1UL << 40, 1, s_x), "encoded_range"),
            ("offset-plus-len", Encoded("a", 8192, 8192, 4096, 1, s_x), "encoded_range"),
            ("empty", Encoded("a", 4096, 4096, 0, 2, []), "encoded_corrupt"),
            ("lzo-short", Encoded("a", 4096, 4096, 0, 3, [1]), "encoded_corrupt"),
            ("empty-zlib", Encoded("a", 4096, 4096, 0, 1, []), "encoded_corrupt"),
            ("zstd-window", Encoded("a", 4, 4, 0, 2, ZstdFrame(0, (8 << 3) | 1)), "encoded_corrupt"),
            ("zstd-one-segment", Encoded("a", 4, 4, 0, 2, ZstdFrame(0xA0, 1, 0, 2, 0)), "encoded_corrupt"),
            ("lzo-overrun", Encoded("a", 4096, 4096, 0, 3, [12, 0, 0, 0, 9, 0, 0, 0, 0x11, 0, 0, 0]), "encoded_corrupt"),
            ("past-the-largest-file", Encoded("a", 4096, 4096, 0, 0, X(4096), offset: long.MaxValue), "range_too_large"),
        }.Select(e => ("enc-" + e.Item1, Vol2(Mkfile("a"), e.Item2), e.Item3 + " 93 3")),
    ];

    private static byte[] Zlib(byte[] bytes)
    {
        using MemoryStream output = new();
        using (ZLibStream stream = new(output, CompressionLevel.Fastest))
            stream.Write(bytes);
        return output.ToArray();
    }

    // Two segments: 4066 literals, after which 2 bytes of the sector are left, and 4.
    private static byte[] Lzo =>
    [
        .. BitConverter.GetBytes(4096 + 12), .. BitConverter.GetBytes(4086), 0, .. new byte[15], 223, .. X(4066), 0x11, 0, 0, 0, 0,
        .. BitConverter.GetBytes(8), 17 + 4, .. "abcd"u8, 0x11, 0, 0,
    ];

    private static byte[] ZstdFrame(params byte[] header) => [0x28, 0xB5, 0x2F, 0xFD, .. header, 0x21, 0, 0, .. "abcd"u8]; // one raw block

    private static byte[] InIscsiForm(byte[] frame)
    {
        byte[] changed = [.. frame];
        changed.AsSpan(6, sizeof(uint)).Clear();
        BitConverter.TryWriteBytes(changed.AsSpan(6), ~Crc32C.Append(uint.MaxValue, changed));
        return changed;
    }
}
