using Layerbox.Archive;
using Layerbox.FileTree;

namespace Layerbox.Tests.Archive;

/// <summary>What is refused, and with which words.</summary>
public sealed class TarDefectTests
{
    private static readonly Dictionary<string, (Func<RawTar, RawTar> Make, string Message)> s_defects = new()
    {
        ["no tar"] = (tar => tar.Data("PK this is something else"), "offset 0: this is no tar header: its checksum is wrong"),
        ["garbled second header"] = (tar => tar.File("a", "x").Data("garbage"), "offset 1024: this is no tar header: its checksum is wrong"),
        ["half a header"] = (tar => tar.File("a", "x").Raw(new byte[100]), "offset 1124: the archive ends within a header"),
        ["cut in data"] = (tar => tar.Header("a/b", size: "2000").Data("only this"), "offset 1024: member 'a/b': the archive ends too early: 512 bytes of the member are missing"),
        ["cut in padding"] = (tar => tar.Header("a", size: "1").Raw([1]), "offset 513: member 'a': the archive ends too early: 511 bytes of the member are missing"),
        ["huge size"] = (tar => tar.Header("a").Header("b", change: block => RawTar.Put(block, 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff")).End(), "offset 2048: member 'b': the archive ends too early: 9223372036854774783 bytes of the member are missing"),
        ["size beyond 64 bits"] = (tar => tar.Header("a", change: block => RawTar.Put(block, 124, "\x80\0\0\x01\0\0\0\0\0\0\0\0")), @"offset 0: member 'a': the size '\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00' is no number"),
        ["negative size"] = (tar => tar.Header("a", change: block => RawTar.Put(block, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe")), "offset 0: member 'a': the size is negative"),
        ["no octal"] = (tar => tar.Header("a", size: "12x"), @"offset 0: member 'a': the size '12x\x00\x00\x00\x00\x00\x00\x00\x00\x00' is no number"),
        ["no mode"] = (tar => tar.Header("a", change: block => RawTar.Put(block, 100, "99")), @"offset 0: member 'a': the mode '9900644\x00' is no number"),
        ["uid of nobody at all"] = (tar => tar.Header("a", change: block => RawTar.Put(block, 108, "\x80\0\0\0\xff\xff\xff\xff")), "offset 0: member 'a': the uid 4294967295 is not possible"),
        ["parent of the root"] = (tar => tar.File("../etc/passwd", "x"), "offset 0: member '../etc/passwd': '../etc/passwd' leaves the archive"),
        ["parent inside"] = (tar => tar.File("a/../b", "x"), "offset 0: member 'a/../b': 'a/../b' leaves the archive"),
        ["link to a parent"] = (tar => tar.Header("a", '1', link: "../b"), "offset 0: member 'a': '../b' leaves the archive"),
        ["no name"] = (tar => tar.Header(""), "offset 0: member '': a name is empty"),
        ["long name"] = (tar => tar.Pax("path=" + new string('n', 256)).Header("a"), $"offset 1024: member '{new string('n', 256)}': '{new string('n', 256)}' is 256 bytes long; a name has at most 255"),
        ["NUL in a name"] = (tar => tar.Pax("path=a\0b").Header("a"), @"offset 1024: member 'a\x00b': 'a\x00b' cannot be the name of a file"),
        ["vendor type"] = (tar => tar.Header("a", 'Z'), "offset 0: member 'a': members of type 'Z' are not supported"),
        ["multi-volume"] = (tar => tar.Header("a", 'M'), "offset 0: member 'a': members of type 'M' are not supported"),
        ["symlink to nothing"] = (tar => tar.Header("a", '2'), "offset 0: member 'a': a symbolic link without a target"),
        ["symlink too long"] = (tar => tar.Pax("linkpath=" + new string('t', 4096)).Header("a", '2'), "offset 5120: member 'a': the target of a symbolic link has 4096 bytes; at most 4095 are possible"),
        ["pax without a length"] = (tar => tar.File("p", "path=x\n", 'x').Header("a"), @"offset 0: an extended header record starts with 'path=x\x0a' and not with its length"),
        ["pax length too long"] = (tar => tar.File("p", "99 path=x\n", 'x').Header("a"), "offset 0: an extended header record claims 99 bytes where 10 are left"),
        ["pax length too short"] = (tar => tar.File("p", "5 path=x\n", 'x').Header("a"), "offset 0: an extended header record is not 'key=value': 'pat'"),
        ["pax length zero"] = (tar => tar.File("p", "0 path=x\n", 'x').Header("a"), "offset 0: an extended header record claims 0 bytes where 9 are left"),
        ["pax negative length"] = (tar => tar.File("p", "-9 path=x\n", 'x').Header("a"), "offset 0: an extended header record claims -9 bytes where 10 are left"),
        ["pax without a value"] = (tar => tar.File("p", "7 path\n", 'x').Header("a"), @"offset 0: an extended header record is not 'key=value': 'path\x0a'"),
        ["pax without an end"] = (tar => tar.File("p", "9 path=xy", 'x').Header("a"), "offset 0: an extended header record is not 'key=value': 'path=xy'"),
        ["pax larger than accepted"] = (tar => tar.Header("p", 'x', size: "77777777777"), "offset 0: an extended header of 8589934591 bytes; at most 8388608 are accepted"),
        ["long name larger than accepted"] = (tar => tar.Header("p", 'L', size: "7777777"), "offset 0: a long name of 2097151 bytes; at most 65536 are accepted"),
        ["pax uid"] = (tar => tar.Pax("uid=-1").Header("a"), "offset 0: the uid is negative"),
        ["pax uid too large"] = (tar => tar.Pax("uid=4294967296").Header("a"), "offset 0: the uid 4294967296 is not possible"),
        ["pax size"] = (tar => tar.Pax("size=1e3").Header("a"), "offset 0: the size '1e3' is no number"),
        ["pax time"] = (tar => tar.Pax("mtime=1.2.3").Header("a"), "offset 0: the mtime '1.2.3' is no time"),
        ["pax xattr without a name"] = (tar => tar.Pax("SCHILY.xattr.=x").Header("a"), "offset 0: '' cannot be the name of an extended attribute"),
        ["pax xattr in bad base64"] = (tar => tar.Pax("LIBARCHIVE.xattr.user.a=!!").Header("a"), "offset 0: the value of 'LIBARCHIVE.xattr.user.a' is not base64"),
        ["acl with a name"] = (tar => tar.Pax("SCHILY.acl.access=user::rwx,user:alice:r--,group::r--,mask::r--,other::r--").Header("a"), "offset 0: the access control list names 'alice' without a number"),
        ["acl garbled"] = (tar => tar.Pax("SCHILY.acl.access=user:rwx").Header("a"), "offset 0: 'user:rwx' is no entry of an access control list"),
        ["nothing after pax"] = (tar => tar.Pax("path=x"), "offset 1024: the archive ends after an extended header"),
        ["the end after pax"] = (tar => tar.Pax("path=x").End(), "offset 2048: the archive ends after an extended header"),
        ["data after the end"] = (tar => tar.File("a", "x").End().Data("more"), "offset 2048: data follows the end of the archive"),
        ["lone zero block"] = (tar => tar.File("a", "x").Raw(new byte[512]).File("b", "y"), "offset 1536: data follows the end of the archive"),
        ["sparse 1.0 without a map"] = (tar => Sparse(tar, "1", "0").Header("a", size: "0").End(), "offset 1024: member 'real': the sparse map does not end within the data"),
        ["sparse 1.0 with a garbled map"] = (tar => Sparse(tar, "1", "100").Header("a", size: "1000").Data("x\n"), "offset 1024: member 'real': the sparse map has a line that is no number"),
        ["sparse 1.0 with a huge map"] = (tar => Sparse(tar, "1", "100").Header("a", size: "1000").Data("99999999\n"), "offset 1024: member 'real': the sparse map has more than 1048576 runs"),
        ["sparse 2.0"] = (tar => Sparse(tar, "2", "100").Header("a"), "offset 1024: member 'real': sparse format 2 is not supported"),
        ["sparse without a size"] = (tar => tar.Pax("GNU.sparse.major=1").Header("a"), "offset 1024: member 'a': a sparse file without its real size"),
        ["sparse 0.1 out of order"] = (tar => tar.Pax("GNU.sparse.size=100", "GNU.sparse.map=50,5,10,5").File("a", "0123456789"), "offset 1024: member 'a': the sparse map has a run at 10 of 5 bytes after 55 of 100"),
        ["sparse 0.1 beyond the size"] = (tar => tar.Pax("GNU.sparse.size=100", "GNU.sparse.map=98,5").File("a", "01234"), "offset 1024: member 'a': the sparse map has a run at 98 of 5 bytes after 0 of 100"),
        ["sparse 0.1 with less data"] = (tar => tar.Pax("GNU.sparse.size=100", "GNU.sparse.map=0,5").File("a", "0123"), "offset 1024: member 'a': the sparse map has 5 bytes where the archive stores 4"),
        ["sparse 0.1 cut"] = (tar => tar.Pax("GNU.sparse.size=100", "GNU.sparse.map=0,5,7").File("a", "01234"), "offset 1024: member 'a': the sparse map ends with an offset"),
        ["sparse 0.0 garbled"] = (tar => tar.Pax("GNU.sparse.size=100", "GNU.sparse.numbytes=5").File("a", "01234"), "offset 0: GNU.sparse.numbytes stands in the wrong place of the sparse map"),
        ["old sparse cut"] = (tar => tar.Header("a", 'S', magic: "ustar  \0", change: block => { RawTar.Put(block, 386, "0\0          5\0"); block[482] = 1; }), "offset 512: member 'a': the archive ends within the sparse map"),
        ["link to what is missing"] = (tar => tar.Header("a", '1', link: "b"), "offset 0: member '/a': hard link to '/b', which is not there"),
        ["link to a later member"] = (tar => tar.Header("a", '1', link: "b").File("b", "x"), "offset 0: member '/a': hard link to '/b', which is not there"),
        ["link to a directory"] = (tar => tar.Header("b", '5').Header("a", '1', link: "b"), "offset 512: member '/a': hard link to '/b', which is a directory"),
        ["link through a symlink"] = (tar => tar.Header("d", '5').File("d/f", "x").Header("s", '2', link: "d").Header("a", '1', link: "s/f"), "offset 2048: member '/a': hard link to '/s/f', which is not there"),
        ["below a symlink"] = (tar => tar.Header("s", '2', link: "/etc").File("s/passwd", "x"), "offset 512: member '/s/passwd': '/s' is a symbolic link"),
        ["below a file"] = (tar => tar.File("f", "x").File("f/g/h", "x"), "offset 1024: member '/f/g/h': '/f' is no directory"),
        ["over a full directory"] = (tar => tar.File("d/f", "x").File("d", "x"), "offset 1024: member '/d': a directory that is not empty is there already"),
        ["a root that is a file"] = (tar => tar.File("./", "x", '2').Header("x"), "offset 0: member './': a symbolic link without a target"),
        ["a root that is a link"] = (tar => tar.File("a", "x").Header(".", '1', link: "a"), "offset 1024: member '/': the root must be a directory"),
        ["a root that is a fifo"] = (tar => tar.Header(".", '6'), "offset 0: member '/': the root must be a directory"),
    };

    public static TheoryData<string> Defects => [.. s_defects.Keys];

    [Theory]
    [MemberData(nameof(Defects))]
    public void Says_where_and_what(string defect)
    {
        (Func<RawTar, RawTar> make, string message) = s_defects[defect];
        byte[] archive = make(new RawTar()).Bytes;
        Assert.Equal("tar: " + message, Assert.Throws<InvalidDataException>(() => TarTree.Read(new MemoryStream(archive), new MemoryContentStore())).Message);
    }

    [Fact]
    public void Every_truncation_but_between_members_is_noticed_and_nothing_else_is_thrown()
    {
        byte[] archive = TarWriterTests.Write(new RandomTree(3).Make());
        HashSet<long> boundaries = [0, .. TarReader.Read(new MemoryStream(archive), new MemoryContentStore()).Select(entry => entry.Offset)];
        int accepted = 0;
        for (int length = 0; length < archive.Length - 1024; length += length % 512 == 0 ? 1 : 511)
        {
            try
            {
                TarTree.Read(new MemoryStream(archive, 0, length), new MemoryContentStore());
                accepted++;
                Assert.Equal(0, length % 512);
            }
            catch (InvalidDataException defect)
            {
                Assert.Matches(@"^tar: offset \d+: .*(ends|is missing|are missing)", defect.Message);
            }
        }
        Assert.InRange(accepted, 1, boundaries.Count);
    }

    [Fact]
    public void Damaged_archives_give_no_other_exception()
    {
        byte[] good = TarWriterTests.Write(new RandomTree(7).Make());
        Random random = new(1);
        for (int round = 0; round < 400; round++)
        {
            byte[] bad = [.. good];
            for (int i = random.Next(1, 20); i > 0; i--)
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            if (round % 2 == 0)
                MendChecksums(bad);
            try
            {
                TarTree.Read(new MemoryStream(bad), new CountingStore());
            }
            catch (InvalidDataException)
            {
                // the only exception that may come
            }
        }
    }

    private static void MendChecksums(byte[] archive)
    {
        for (int at = 0; at + 512 <= archive.Length; at += 512)
        {
            byte[] block = archive[at..(at + 512)];
            if (!block.AsSpan(257, 5).SequenceEqual("ustar"u8))
                continue;
            int sum = 8 * ' ' + block[..148].Sum(b => b) + block[156..].Sum(b => b);
            RawTar.Put(archive, at + 148, Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ");
        }
    }

    private static RawTar Sparse(RawTar tar, string major, string size) =>
        tar.Pax($"GNU.sparse.major={major}", "GNU.sparse.minor=0", "GNU.sparse.name=real", $"GNU.sparse.realsize={size}");
}
