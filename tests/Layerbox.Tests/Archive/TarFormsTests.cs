using System.Text;
using Layerbox.Archive;
using Layerbox.FileTree;

namespace Layerbox.Tests.Archive;

/// <summary>Forms of members that the tars at hand do not write, and what their facts become.</summary>
public sealed class TarFormsTests
{
    private static readonly Dictionary<string, (Func<RawTar, RawTar> Make, string Expected)> s_forms = new()
    {
        ["names with ./ and /"] = (tar => tar.File("./a", "1").File("/b", "2").File("c/./d//e", "3").Header("./", '5').Header("x/./", '5'), "/a '1'|/b '2'|/c/d/e '3'|/ dir|/x dir"),
        ["v7 directory"] = (tar => tar.Header("d/", '\0', magic: "").File("d/f", "x", '\0', magic: ""), "/d dir|/d/f 'x'"),
        ["contiguous file"] = (tar => tar.File("a", "x", '7'), "/a 'x'"),
        ["prefix"] = (tar => tar.Header("a", change: block => RawTar.Put(block, 345, "p/q")), "/p/q/a ''"),
        ["no prefix in GNU"] = (tar => tar.Header("a", magic: "ustar  \0", change: block => RawTar.Put(block, 345, "14000000000")), "/a ''"),
        ["prefix of star"] = (tar => tar.Header("a", change: block => { RawTar.Put(block, 345, "p"); RawTar.Put(block, 476, "14000000000\0"); RawTar.Put(block, 508, "tar\0"); }), "/p/a ''"),
        ["signed checksum"] = (tar => tar.Raw(SignedSum("a\xe9\xe9")), @"/a\xe9\xe9 ''"),
        ["numbers with spaces"] = (tar => tar.Header("a", change: block => { RawTar.Put(block, 108, "   144 \0"); RawTar.Put(block, 116, "     12 "); }), "/a '' uid=100 gid=10"),
        ["numbers in base 256"] = (tar => tar.Header("a", change: block => { RawTar.Put(block, 108, "\x80\0\0\0\xee\x6b\x28\0"); RawTar.Put(block, 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"); }), "/a '' uid=4000000000 time=-2.0"),
        ["volume name"] = (tar => tar.Header("my backup", 'V').File("a", "x"), "/a 'x'"),
        ["directory of an incremental dump"] = (tar => tar.File("d/", "Yfile\0\0", 'D').File("d/file", "x"), "/d dir|/d/file 'x'"),
        ["directory with reserved room"] = (tar => tar.Header("d", '5', size: "1000").File("d/f", "x"), "/d dir|/d/f 'x'"),
        ["GNU long names"] = (tar => tar.File("././@LongLink", "long/name\0", 'L').File("././@LongLink", "long/target\0", 'K').Header("x", '2', link: "y"), "/long/name -> long/target"),
        ["pax over long name"] = (tar => tar.File("././@LongLink", "no\0", 'L').Pax("path=yes").File("x", "1"), "/yes '1'"),
        ["pax of Solaris"] = (tar => tar.File("p", RawTar.Record("path=yes"), 'X').File("x", "1"), "/yes '1'"),
        ["two extended headers"] = (tar => tar.Pax("path=one", "uid=5").Pax("path=two").File("x", "1"), "/two '1' uid=5"),
        ["a value is taken back"] = (tar => tar.Pax("path=one", "path=").File("x", "1"), "/x '1'"),
        ["global header"] = (tar => tar.Global("comment=0123", "uid=7", "gid=8").File("a", "1").Pax("uid=9").File("b", "2").Pax("gid=").File("c", "3"), "/a '1' uid=7 gid=8|/b '2' uid=9 gid=8|/c '3' uid=7"),
        ["all attributes"] = (tar => tar.Pax("uid=5", "gid=6", "mtime=-1.5", "atime=7", "uname=alice", "SCHILY.dev=3").File("a", "1"), "/a '1' uid=5 gid=6 time=-2.500000000 uname=alice"),
        ["times"] = (tar => tar.Pax("mtime=1.0000000019").File("a", "1").Pax("mtime=2.5").File("b", "2").Pax("mtime=-0.000000001").File("c", "3").Pax("mtime=3.").File("d", ""), "/a '1' time=1.1|/b '2' time=2.500000000|/c '3' time=-1.999999999|/d '' time=3.0"),
        ["size of pax"] = (tar => tar.Pax("size=3").Header("a").Data("abc").File("b", "x"), "/a 'abc'|/b 'x'"),
        ["xattrs"] = (tar => tar.Pax("SCHILY.xattr.user.b=1\n2", "SCHILY.xattr.user.a%3Db%25=x", "SCHILY.xattr.user.e=").File("a", "1"), @"/a '1' user.a=b%:x user.b:1\x0a2 user.e:"),
        ["xattrs of libarchive"] = (tar => tar.Pax("LIBARCHIVE.xattr.user.a%3Db%ff=AAEC/w", "SCHILY.xattr.user.a=broken").File("a", "1"), @"/a '1' user.a=b\xff:\x00\x01\x02\xff"),
        ["selinux"] = (tar => tar.Pax("RHT.security.selinux=system_u:object_r:x:s0").File("a", "1"), @"/a '1' security.selinux:system_u:object_r:x:s0\x00"),
        ["acl that is the mode"] = (tar => tar.Pax("SCHILY.acl.access=user::rw-,group::r--,other::r--").File("a", "1"), "/a '1'"),
        ["acl of star"] = (tar => tar.Pax("SCHILY.acl.access=user::rwx,user:alice:r--:1000,group::---,mask::r--,other::---").File("a", "1"), @"/a '1' mode=740 system.posix_acl_access:\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x04\x00\xe8\x03\x00\x00\x04\x00\x00\x00\xff\xff\xff\xff\x10\x00\x04\x00\xff\xff\xff\xff \x00\x00\x00\xff\xff\xff\xff"),
        ["hard link"] = (tar => tar.File("a", "x").Header("b", '1', link: "./a"), "/a 'x'|/b => /a"),
        ["hard link that tells a size"] = (tar => tar.File("a", "x").Header("b", '1', "1", link: "a").File("c", "y"), "/a 'x'|/b => /a|/c 'y'"),
        ["last hard link that tells a size"] = (tar => tar.File("a", "x").Header("b", '1', "1", link: "a").End(), "/a 'x'|/b => /a"),
        ["hard link with data"] = (tar => tar.Pax("linkpath=a").Header("b", '1', "2").Data("xy").File("c", "z"), "/b => /a 'xy'|/c 'z'"),
        ["hard link with data without pax"] = (tar => tar.Header("b", '1', "2", link: "a").Data("xy").File("c", "z"), "/b => /a 'xy'|/c 'z'"),
        ["nodes"] = (tar => tar.Header("c", '3', change: Device(5, 300)).Header("b", '4', change: Device(8, 1)).Header("f", '6'), "/c char 5:300|/b block 8:1|/f fifo"),
        ["old sparse with a second block"] = (tar => OldSparse(tar).File("z", "!"), @"/s '0000\x000000\x001111\x002222\x003333\x004444\x005555\x006666\x007777\x008888\x009999\x000000\x00'|/z '!'"),
        ["sparse 0.0"] = (tar => tar.Pax("GNU.sparse.size=8", "GNU.sparse.numblocks=2", "GNU.sparse.offset=1", "GNU.sparse.numbytes=2", "GNU.sparse.offset=5", "GNU.sparse.numbytes=1").File("s", "abc"), @"/s '\x00ab\x00\x00c\x00\x00'"),
        ["sparse 1.0"] = (tar => tar.Pax("GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=s", "GNU.sparse.realsize=6").Header("GNUSparseFile.1/s", size: "1002").Data("2\n1\n2\n6\n0\n").Data("ab").File("z", "!"), @"/s '\x00ab\x00\x00\x00'|/z '!'"),
        ["no end at all"] = (tar => tar.File("a", "x"), "/a 'x'"),
        ["one block at the end"] = (tar => tar.File("a", "x").Raw(new byte[512]), "/a 'x'"),
        ["padded to a record and further"] = (tar => tar.File("a", "x").Raw(new byte[2_000_001]), "/a 'x'"),
        ["nothing"] = (tar => tar, ""),
    };

    public static TheoryData<string> Forms => [.. s_forms.Keys];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Reads(string form)
    {
        (Func<RawTar, RawTar> make, string expected) = s_forms[form];
        byte[] archive = make(new RawTar()).Bytes;
        Assert.Equal(expected, List(new MemoryStream(archive)));
        Assert.Equal(expected, List(new OneByteStream(archive)));
    }

    [Fact]
    public void Members_come_as_they_are_asked_for()
    {
        byte[] archive = new RawTar().File("a", "1").Data("garbage").Bytes;
        using IEnumerator<TarEntry> members = TarReader.Read(new OneByteStream(archive), new MemoryContentStore()).GetEnumerator();
        Assert.True(members.MoveNext());
        Assert.Throws<InvalidDataException>(() => members.MoveNext());
    }

    private static string List(Stream archive) =>
        string.Join('|', TarReader.Read(archive, new MemoryContentStore()).Select(Describe));

    private static string Describe(TarEntry entry)
    {
        StringBuilder text = new(entry.Path.ToString());
        if (entry.HardLinkTo is { } target)
            text.Append($" => {target}");
        if (entry.Inode is not { } inode)
            return text.ToString();
        text.Append(inode.Kind switch
        {
            FileKind.Directory => " dir",
            FileKind.Symlink => $" -> {BytesText.Escape(inode.Target)}",
            FileKind.CharDevice => $" char {inode.DeviceMajor}:{inode.DeviceMinor}",
            FileKind.BlockDevice => $" block {inode.DeviceMajor}:{inode.DeviceMinor}",
            FileKind.Fifo => " fifo",
            _ => $" '{BytesText.Escape(((MemoryContent)inode.Content!).Bytes)}'",
        });
        if (inode.Kind != FileKind.Symlink && inode.Mode != 0x1A4)
            text.Append($" mode={Convert.ToString(inode.Mode, 8)}");
        if (inode.Uid != 0)
            text.Append($" uid={inode.Uid}");
        if (inode.Gid != 0)
            text.Append($" gid={inode.Gid}");
        if (inode.ModificationTime != default)
            text.Append($" time={inode.ModificationTime.Seconds}.{inode.ModificationTime.Nanoseconds}");
        if (entry.UserName.Length > 0)
            text.Append($" uname={BytesText.Escape(entry.UserName)}");
        foreach (Xattr xattr in inode.Xattrs.Items)
            text.Append($" {BytesText.Escape(xattr.Name)}:{BytesText.Escape(xattr.Value)}");
        return text.ToString();
    }

    private static Action<byte[]> Device(int major, int minor) => block =>
    {
        RawTar.Put(block, 329, Convert.ToString(major, 8).PadLeft(7, '0'));
        RawTar.Put(block, 337, Convert.ToString(minor, 8).PadLeft(7, '0'));
    };

    /// <summary>Twelve runs of four bytes with a hole of one after each: four in the header, eight in a block of their own.</summary>
    private static RawTar OldSparse(RawTar tar)
    {
        static void Run(byte[] block, int at, int index)
        {
            RawTar.Put(block, at, Convert.ToString(index * 5, 8).PadLeft(11, '0'));
            RawTar.Put(block, at + 12, "00000000004");
        }

        tar.Header("s", 'S', "60", magic: "ustar  \0", change: block =>
        {
            for (int i = 0; i < 4; i++)
                Run(block, 386 + (i * 24), i);
            block[482] = 1;
            RawTar.Put(block, 483, "00000000074");
        });
        byte[] more = new byte[512];
        for (int i = 4; i < 12; i++)
            Run(more, (i - 4) * 24, i);
        return tar.Raw(more).Data("000000001111222233334444555566667777888899990000");
    }

    private static byte[] SignedSum(string name)
    {
        byte[] block = new RawTar().Header(name).Bytes;
        int sum = 8 * ' ' + block[..148].Sum(b => (sbyte)b) + block[156..].Sum(b => (sbyte)b);
        RawTar.Put(block, 148, Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ");
        return block;
    }

    /// <summary>A pipe that gives a byte a read.</summary>
    private sealed class OneByteStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, Position < 5000 ? 1 : 777));
    }
}
