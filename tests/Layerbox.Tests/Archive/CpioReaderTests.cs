using System.Text;
using Layerbox.Archive;

namespace Layerbox.Tests.Archive;

/// <summary>Archives that cpio makes are read as cpio reads them.</summary>
public class CpioReaderTests
{
    [Theory]
    [InlineData("newc")]
    [InlineData("crc")]
    public void Members_are_those_that_were_put_in(string format)
    {
        using TempFolder folder = new();
        byte[] archive = Make(folder, format);
        using CpioReader reader = new(new MemoryStream(archive));
        List<string> found = [];
        while (reader.Next() is { } member)
        {
            using MemoryStream data = new();
            if (member.Name.AsSpan().IndexOf("skipped"u8) < 0)
                for (ReadOnlySpan<byte> piece = reader.Take(); !piece.IsEmpty; piece = reader.Take())
                    data.Write(piece);
            found.Add($"{Encoding.UTF8.GetString(member.Name)} {Convert.ToString(member.Mode, 8)} {member.Size} {Encoding.UTF8.GetString(data.ToArray())}");
        }
        Assert.Equal([". 40755 0 ", "a 100640 3 abc", "empty 100644 0 ", "link 120777 1 a", "skipped 100644 5 ", "z 100644 1 z"], found);
        Assert.Equal(archive.Length, reader.Offset); // with the padding to cpio's blocks
    }

    [Fact]
    public void A_wrong_sum_is_noticed()
    {
        using TempFolder folder = new();
        byte[] archive = Make(folder, "crc");
        archive[archive.AsSpan().IndexOf("abc"u8)] = (byte)'x';
        using CpioReader reader = new(new MemoryStream(archive));
        InvalidDataException e = Assert.Throws<InvalidDataException>(() =>
        {
            while (reader.Next() is not null)
            {
            }
        });
        Assert.Matches(@"^cpio: offset \d+: member 'a': the sum of its bytes is 317, and 294 by its header$", e.Message);
    }

    [Fact]
    public void Every_cut_is_noticed()
    {
        using TempFolder folder = new();
        byte[] archive = Make(folder, "newc");
        int end = archive.AsSpan().IndexOf("TRAILER!!!"u8) + 11;
        for (int length = 0; length < end; length += 7)
        {
            using CpioReader reader = new(new MemoryStream(archive[..length]));
            Assert.Throws<InvalidDataException>(() =>
            {
                while (reader.Next() is not null)
                {
                }
            });
        }
    }

    [Fact]
    public void Members_without_a_name_need_somebody_who_knows_them()
    {
        byte[] archive = [.. "07070X00000000\0\0"u8, .. new byte[200]];
        using CpioReader reader = new(new MemoryStream(archive));
        Assert.Equal("cpio: offset 0: a member without a name", Assert.Throws<InvalidDataException>(reader.Next).Message);
    }

    private static byte[] Make(TempFolder folder, string format)
    {
        Programs.Shell($"mkdir -m 755 {folder / "in"}; cd {folder / "in"}; printf abc > a; : > empty; printf 12345 > skipped; printf z > z; chmod 644 *; chmod 640 a; ln -s a link; LC_ALL=C find . | sort | sed 's|^[.]/||' | cpio -o --quiet -H {format} > ../out");
        return File.ReadAllBytes(folder / "out");
    }
}
