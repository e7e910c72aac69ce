using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class MtreeTests
{
    private static byte[] Write(Tree tree)
    {
        using MemoryStream stream = new();
        Mtree.Write(stream, tree);
        return stream.ToArray();
    }

    [Fact]
    public void Writes_a_line_a_path()
    {
        Assert.Equal("""
            #mtree
            . type=dir mode=0755 uid=0 gid=0 time=1700000000.000000000
            ./bin type=link mode=0777 uid=0 gid=0 time=0.000000000 link=usr/bin
            ./dev type=dir mode=0755 uid=0 gid=0 time=0.000000000
            ./dev/log type=socket mode=0666 uid=0 gid=0 time=0.000000000
            ./dev/null type=char mode=0666 uid=0 gid=0 time=0.000000000 device=linux,1,3
            ./dev/pipe type=fifo mode=0600 uid=0 gid=0 time=0.000000000
            ./dev/sda type=block mode=0660 uid=0 gid=6 time=0.000000000 device=linux,8,0
            ./empty type=dir mode=01777 uid=0 gid=0 time=0.000000000
            ./etc type=dir mode=0755 uid=0 gid=0 time=0.000000000
            ./etc/nothing type=file mode=0644 uid=0 gid=0 time=0.000000000 size=0 sha256digest=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
            ./etc/shadow type=file mode=0640 uid=0 gid=42 time=-1.500000000 size=7 sha256digest=8aeca397b41685667ca075e3d1aca91a70d1061e9ce828e6bb43d8837aa40455
            ./sparse type=file mode=0644 uid=0 gid=0 time=0.000000000 size=12288 sha256digest=f3cc103136423a57975750907ebc1d367e2985ac6338976d4d5a439f50323f4a
            ./usr type=dir mode=0755 uid=0 gid=0 time=0.000000000
            ./usr/bin type=dir mode=0755 uid=0 gid=0 time=0.000000000
            ./usr/bin/bash type=file mode=04755 uid=0 gid=0 time=0.000000000 size=2 sha256digest=3612ddaf46e149a4f583faf0face846585148f59e0ce2645594df83b5dc807e8 nlink=2
            ./usr/bin/sh type=file mode=04755 uid=0 gid=0 time=0.000000000 size=2 sha256digest=3612ddaf46e149a4f583faf0face846585148f59e0ce2645594df83b5dc807e8 nlink=2
            ./\303\244\040\042quoted\042\040\134\040\043name\012 type=file mode=0644 uid=0 gid=0 time=0.000000000 size=4 sha256digest=982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1
            ./\377\040\376 type=link mode=0777 uid=0 gid=0 time=0.000000000 link=\303(

            """, Encoding.ASCII.GetString(Write(Trees.OfEverything())));
    }

    [Fact]
    public void Is_read_by_bsdtar()
    {
        Assert.SkipUnless(HasBsdtar(), "needs bsdtar (libarchive-tools)");
        using TempFolder folder = new();
        Tree tree = Trees.OfEverything();
        Trees.Remove(tree, "dev/log"); // mtree(5) has sockets, libarchive has not
        File.WriteAllBytes(folder / "x.mtree", Write(tree));
        string[] lines = Programs.Run("bsdtar", "--numeric-owner", "-tvf", folder / "x.mtree").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] expected =
        [
            "drwxr-xr-x|0|0|0|.", "lrwxrwxrwx|0|0|0|./bin -> usr/bin", "drwxr-xr-x|0|0|0|./dev",
            "crw-rw-rw-|0|0|1,3|./dev/null", "prw-------|0|0|0|./dev/pipe", "brw-rw----|0|6|8,0|./dev/sda", "drwxrwxrwt|0|0|0|./empty",
            "drwxr-xr-x|0|0|0|./etc", "-rw-r--r--|0|0|0|./etc/nothing", "-rw-r-----|0|42|7|./etc/shadow", "-rw-r--r--|0|0|12288|./sparse",
            "drwxr-xr-x|0|0|0|./usr", "drwxr-xr-x|0|0|0|./usr/bin", "-rwsr-xr-x|0|0|2|./usr/bin/bash", "-rwsr-xr-x|0|0|2|./usr/bin/sh",
            "-rw-r--r--|0|0|4|./ä \"quoted\" \\\\ #name\\n", "lrwxrwxrwx|0|0|0|./\\377 \\376 -> \\303(",
        ];
        Assert.Equal(expected, lines.Select(Shorten));
    }

    /// <summary>Without link count, which bsdtar takes from itself, and date, which it writes in two forms.</summary>
    private static string Shorten(string line)
    {
        string[] fields = line.Split(' ', 9, StringSplitOptions.RemoveEmptyEntries);
        return string.Join('|', fields[0], fields[2], fields[3], fields[4], fields[8]);
    }

    private static bool HasBsdtar()
    {
        try
        {
            return Programs.Try("bsdtar", "--version").Status == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
