using Layerbox.Rpm;
using static Layerbox.Tests.Rpm.RawRpm;

namespace Layerbox.Tests.Rpm;

/// <summary>Headers are believed only where rpm would believe them, and no bytes do harm.</summary>
public class RpmHeaderTests
{
    private static readonly Entry[] s_good = [Text(1000, "n"), Text(1001, "1"), Text(1002, "1"), Int(1009, 5), Text(1022, "noarch")];

    private static Entry[] With(Entry entry) => [.. s_good, entry];

    /// <summary>Bad main headers: what is said of them, after "offset N: ".</summary>
    public static readonly TheoryData<string, byte[]> Malformed = new()
    {
        { "header: it does not start with 8eade80100000000, found 8eade80200000000", Changed(Header(63, s_good), 3, 2) },
        { "header: it does not start with 8eade80100000000, found 8eade80101000000", Changed(Header(63, s_good), 4, 1) },
        { "header: 0 entries; 1 to 65535 are possible", Structure([], []) },
        { "header: 65536 entries; 1 to 65535 are possible", Structure([], [], entries: 65536) },
        { "header: 4294967295 entries; 1 to 65535 are possible", Structure([], [], entries: -1) },
        { "header: 268435456 bytes of data; at most 268435455 are possible", Structure([], [], entries: 1, size: 256 << 20) },
        { "header: cut: 16 bytes, expected 268435471", Structure(new byte[16], [], size: (256 << 20) - 1) },
        { "header: cut: 0 bytes, expected 16", [] },
        { "header: entry 6 (filecaps): 4294967295 values in 37 bytes of data", Header(63, With(Text(5010, "x") with { Count = -1 })) },
        { "header: entry 6 (filecaps): at -1 of 37 bytes of data", Header(63, With(Text(5010, "x") with { Offset = -1 })) },
        { "header: entry 6 (filecaps): at 55 of 37 bytes of data", Header(63, With(Text(5010, "x") with { Offset = 55 })) },
        { "header: entry 6 (filecaps): at 0, within the values before it, which end at 19", Header(63, With(Text(5010, "x") with { Offset = 0 })) },
        { "header: entry 6 (fileflags): at 21, which is no multiple of 4", Header(63, With(Int(1037, 1) with { Offset = 21 })) },
        { "header: entry 6 (filecaps): type 10 does not exist", Header(63, With(new Entry(5010, 10, [0], 1))) },
        { "header: entry 6 (filecaps): type 0 does not exist", Header(63, With(new Entry(5010, 0, [0], 1))) },
        { "header: entry 6 (99): tags start at 100", Header(63, With(Text(99, "x"))) },
        { "header: entry 6 (-5): tags start at 100", Header(63, With(Text(-5, "x"))) },
        { "header: entry 6 (filecaps): 2 values of a type that has one", Header(63, With(Text(5010, "x") with { Count = 2 })) },
        { "header: entry 5 (filecaps): its 3 values go beyond the data, of which 2 bytes are left", Header(0, With(Texts(5010, "x") with { Count = 3 })) },
        { "header: entry 5 (filesizes): its 5 values go beyond the data, of which 8 bytes are left", Header(0, With(Int(1028, 1, 2) with { Count = 5 })) },
        { "header: region: type 4 with 16 values, expected 16 bytes", Changed(Header(63, s_good), 16 + 7, 4) },
        { "header: region: type 7 with 17 values, expected 16 bytes", Changed(Header(63, s_good), 16 + 15, 17) },
        { "header: region: at 255 of 35 bytes of data", Changed(Header(63, s_good), 16 + 11, 255) },
        { "header: region: its trailer is not one", Changed(Header(63, s_good), 16 + 11, 18) },
        { "header: region: its trailer covers 95 bytes of an index of 96", Changed(Header(63, s_good), ^5, 0xa1) },
        { "header: region: its trailer covers 112 bytes of an index of 96", Changed(Header(63, s_good), ^5, 0x90) },
        { "header: region: its trailer covers 0 bytes of an index of 96", Changed(Changed(Changed(Changed(Header(63, s_good), ^5, 0), ^6, 0), ^7, 0), ^8, 0) },
        { "header: no release", Header(63, Text(1000, "n"), Text(1001, "1")) },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void Malformed_headers_are_refused_with_their_place(string reason, byte[] header)
    {
        byte[] package = header.Length == 0 ? [.. Lead, .. Header(62, Int(1000, 1)), .. new byte[4]] : RawRpm.Package(Header(62, Int(1000, 1)), header, []);
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => RpmPackage.Open(new MemoryStream(package)));
        Assert.Matches("^offset [0-9]+: ", e.Message);
        Assert.Equal(reason, e.Message[(e.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..]);
    }

    [Theory]
    [InlineData("offset 104: signature header: 33 entries; 1 to 32 are possible", 33, 0)]
    [InlineData("offset 108: signature header: 67108865 bytes of data; at most 67108864 are possible", 1, (64 << 20) + 1)]
    public void Signature_headers_have_narrower_limits(string error, int entries, int size)
    {
        byte[] package = [.. Lead, .. Structure([], [], entries, size)];
        Assert.Equal(error, Assert.Throws<InvalidDataException>(() => RpmPackage.Open(new MemoryStream(package))).Message);
    }

    [Theory]
    [InlineData("offset 0: lead: cut: 0 bytes, expected 96", "")]
    [InlineData("offset 0: lead: it does not start with edabeedb, found 504b0304: no rpm package", "504b0304")]
    public void What_is_no_package_is_said_to_be_none(string error, string start)
    {
        byte[] bytes = start.Length == 0 ? [] : [.. Convert.FromHexString(start), .. new byte[200]];
        Assert.Equal(error, Assert.Throws<InvalidDataException>(() => RpmPackage.Open(new MemoryStream(bytes))).Message);
    }

    [Fact]
    public void What_is_said_to_be_large_takes_memory_only_as_it_comes()
    {
        byte[] package = RawRpm.Package(Header(62, Int(1000, 1)), Structure(new byte[16], [], size: (256 << 20) - 1), new byte[100_000]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => RpmPackage.Open(new MemoryStream(package)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void Entries_behind_the_region_are_read_and_not_signed()
    {
        byte[] header = Header(63, s_good);
        byte[] signed = RawRpm.Package(header, []);
        byte[] index = [.. header.AsSpan(16, 96), .. Index(5096, OneString, header.Length - 16 - 96, 1)];
        byte[] dribble = Structure(index, [.. header.AsSpan(112), (byte)'d', 0]);
        byte[] package = RawRpm.Package(Header(62, Int(1000, 1)), dribble, []);
        using RpmPackage plain = RpmPackage.Open(new MemoryStream(signed)), longer = RpmPackage.Open(new MemoryStream(package));
        Assert.Equal("d", longer.Header.Text(RpmTag.ModularityLabel));
        Assert.Equal(plain.DigestHeader(RpmDigestAlgorithm.Sha256), longer.DigestHeader(RpmDigestAlgorithm.Sha256));
        Assert.Equal(plain.Signature.Text(RpmTag.Sha256Header), Convert.ToHexStringLower(longer.DigestHeader(RpmDigestAlgorithm.Sha256)));
    }

    [Fact]
    public void Old_headers_without_region_are_read()
    {
        using RpmPackage package = RpmPackage.Open(new MemoryStream(RawRpm.Package(Header(0, Int(1000, 1)), Header(0, s_good), [])));
        Assert.Equal("n-1-1.src", Nevra.Of(package).ToString());
    }

    [Theory]
    [InlineData("header: filemodes: 1 values for 2 files", 1030)]
    [InlineData("header: fileusername: 1 values for 2 files", 1039)]
    [InlineData("header: filedigests: 1 values for 2 files", 1035)]
    [InlineData("header: dirindexes: 1 values for 2 files", 1116)]
    public void Lists_that_do_not_fit_together_are_refused(string error, int tag)
    {
        FileEntry[] files = [new("/a", 0x81A4, "x"), new("/b", 0x81A4, "y")];
        Entry entry = tag is 1030 ? Numbers(tag, U16, 0x81A4) : tag is 1116 ? Int(tag, 0) : Texts(tag, "x");
        using RpmPackage package = RpmPackage.Open(new MemoryStream(RawRpm.Package(MainHeader([], files, entry), [])));
        Assert.Equal(error, Assert.Throws<InvalidDataException>(() => RpmFileList.Read(package)).Message);
    }

    [Theory]
    [InlineData("header: dirindexes: file 0 is in directory 7 of 1", 1116, 7)]
    [InlineData("header: longfilesizes: 9223372036854775808 bytes are more than a file can have", 5008, 1L << 63)]
    public void Values_that_cannot_be_are_refused(string error, int tag, long value)
    {
        FileEntry[] files = [new("/a", 0x81A4, "x")];
        using RpmPackage package = RpmPackage.Open(new MemoryStream(RawRpm.Package(MainHeader([], files, Numbers(tag, tag == 5008 ? U64 : U32, (ulong)value)), [])));
        Assert.Equal(error, Assert.Throws<InvalidDataException>(() => RpmFileList.Read(package)).Message);
    }

    [Fact]
    public void Any_flipped_byte_is_either_read_or_refused()
    {
        byte[] good = BuiltRpms.Bytes(BuiltRpms.Full);
        using RpmPackage whole = RpmPackage.Open(new MemoryStream(good));
        Random random = new(5);
        int refused = 0;
        for (int i = 0; i < 2000; i++)
        {
            byte[] bad = good[..(int)whole.PayloadOffset];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
                bad[random.Next(96, i % 2 == 0 ? bad.Length : 1500)] = (byte)random.Next(256);
            try
            {
                using RpmPackage package = RpmPackage.Open(new MemoryStream(bad));
                _ = RpmFileList.Read(package);
                _ = RpmScript.Read(package.Header).Count();
                _ = Enum.GetValues<RpmDependencyKind>().Sum(kind => RpmDependency.Read(package.Header, kind).Count());
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 100, 1900);
    }

    private static byte[] Changed(byte[] bytes, Index at, byte value)
    {
        byte[] changed = [.. bytes];
        changed[at] = value;
        return changed;
    }
}
