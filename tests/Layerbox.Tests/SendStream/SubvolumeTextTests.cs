using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>Subvolumes as text: with the clones in them, and with what is not known of them.</summary>
public class SubvolumeTextTests
{
    private static string Render(SubvolumeSet set, int subvolume, TreeTextOptions? options = null)
    {
        using MemoryStream text = new();
        set.WriteText(text, set.Subvolumes[subvolume], options);
        return Encoding.UTF8.GetString(text.ToArray());
    }

    private static string[] Render(SubvolumeSet set) => [.. set.Subvolumes.Select((_, i) => Render(set, i))];

    private static SubvolumeSet Receive(params string[] scripts) => StreamScript.Receive([.. scripts.Select(script => StreamScript.Make($"{script}; end", version: 2))]);

    private static string OfFiles(string script) => Render(Receive($"subvol vol; chmod - 755; mkfile a; chmod a 644; mkfile b; chmod b 644; {script}"), 0);

    [Theory]
    [InlineData("write a 0 x*8192; clone b 0 8192 a 0", "d8192(vol@b:0+8192@0)", "d8192(vol@a:0+8192@0)")]
    [InlineData("write a 0 x*4096; write a 4096 y*4096; clone b 0 8192 a 0", "d8192(vol@b:0+8192@0)", "d8192(vol@a:0+8192@0)")] // two commands, one run
    [InlineData("write a 0 x*8192; clone b 0 4096 a 0; clone b 4096 4096 a 4096", "d8192(vol@b:0+8192@0)", "d8192(vol@a:0+8192@0)")]
    [InlineData("write a 0 x*8192; clone b 0 4096 a 4096; clone b 4096 4096 a 0", "d8192(vol@b:0+4096@4096/vol@b:4096+4096@0)", "d8192(vol@a:0+4096@4096/vol@a:4096+4096@0)")]
    [InlineData("write a 0 x*10; write b 0 y*3; clone b 3 5 a 2", "d10(vol@b:3+5@2)", "d8(vol@a:2+5@3)")]
    [InlineData("write a 0 x*10; clone b 10 10 a 0", "d10(vol@b:10+10@0)", "h10d10(vol@a:0+10@0)")]
    [InlineData("write a 0 x*10; clone b 0 10 a 0; write b 4 zz", "d10(vol@b:0+4@0/vol@b:6+4@6)", "d10(vol@a:0+4@0/vol@a:6+4@6)")] // the middle is its own again
    [InlineData("write a 0 x*10; clone b 0 10 a 0; fallocate b 3 4 2", "d10(vol@b:0+4@0/vol@b:6+4@6)", "d4(vol@a:0+4@0)h2d4(vol@a:6+4@0)")]
    [InlineData("truncate a 8192; clone b 0 8192 a 0", "h8192(vol@b:0+8192@0)", "h8192(vol@a:0+8192@0)")] // holes of clones, too
    [InlineData("write a 0 x; truncate a 9; clone b 0 9 a 0", "d1(vol@b:0+1@0)h8(vol@b:1+8@0)", "d1(vol@a:0+1@0)h8(vol@a:1+8@0)")]
    [InlineData("truncate a 9; truncate b 9", "h9", "h9")] // two holes are two
    [InlineData("write a 0 x*9; write b 0 x*9", "d9", "d9")] // the same bytes, written twice
    [InlineData("encoded_write a 0 9 9 0 0 abcdefghi; clone b 0 4 a 5", "d9(vol@b:0+4@5)", "d4(vol@a:5+4@0)")]
    [InlineData("write a 0 x*5; clone a 5 5 a 0", "d10(vol@a:0+5@5/vol@a:5+5@0)", "")] // within one file
    [InlineData("write a 0 x*5; mkfile c; chmod c 644; clone c 0 5 a 0; clone b 0 5 c 0; unlink c", "d5(vol@b:0+5@0)", "d5(vol@a:0+5@0)")]
    public void Clones_are_told_on_both_sides(string script, string a, string b) =>
        Assert.Equal($$"""
            ["(Dir)", {
              "a": ["(File {{a}})"],
              "b": ["(File{{(b.Length > 0 ? " " : "")}}{{b}})"]
            }]
            """, OfFiles(script));

    [Fact]
    public void All_names_of_a_file_are_told()
    {
        Assert.Equal("""
            ["(Dir)", {
              "a": [["(File d5(vol@b:0+5@0))", 0]],
              "a2": [["(File d5(vol@b:0+5@0))", 0]],
              "b": ["(File d5(vol@a,a2:0+5@0))"]
            }]
            """, OfFiles("write a 0 x*5; link a2 a; clone b 0 5 a 0"));
    }

    [Fact]
    public void Subvolumes_share_what_one_cloned_from_another()
    {
        SubvolumeSet set = Receive(
            "subvol vol; chmod - 755; mkfile a; chmod a 644; write a 0 x*8192; mkfile u; chmod u 644; write u 0 y",
            "subvol other 22; chmod - 755; mkfile b; chmod b 644; clone b 0 8192 a 0 11");
        Assert.Equal(
            ["""
            ["(Dir)", {
              "a": ["(File d8192(other@b:0+8192@0))"],
              "u": ["(File d1)"]
            }]
            """,
            """
            ["(Dir)", {
              "b": ["(File d8192(vol@a:0+8192@0))"]
            }]
            """],
            Render(set));
    }

    [Fact]
    public void Subvolumes_of_one_name_are_told_apart_by_their_uuid()
    {
        SubvolumeSet set = Receive(
            "subvol vol 11; chmod - 755; mkfile a; chmod a 644; write a 0 x*8192",
            "subvol vol 12; chmod - 755; mkfile b; chmod b 644; clone b 0 8192 a 0 11");
        Assert.Equal("""
            ["(Dir)", {
              "b": ["(File d8192(vol@1111@a:0+8192@0))"]
            }]
            """, Render(set, 1));
    }

    // What a snapshot has from its parent is no clone; what it keeps of a file that was changed shows what it keeps.
    [Fact]
    public void A_snapshot_shows_what_its_own_clones_share()
    {
        SubvolumeSet set = Receive(
            "subvol vol; chmod - 755; mkfile a; chmod a 644; write a 0 x*10; mkfile b; chmod b 644; clone b 0 10 a 0; mkfile c; chmod c 644; write c 0 y*10",
            "snapshot vol2; write c 0 z*4; mkfile d; chmod d 644; clone d 0 10 b 0 11");
        Assert.Equal("""
            ["(Dir)", {
              "a": ["(File d10(vol2@b:0+10@0/vol2@d:0+10@0))"],
              "b": ["(File d10(vol2@a:0+10@0/vol2@d:0+10@0))"],
              "c": ["(File d10(vol@c:4+6@4))"],
              "d": ["(File d10(vol2@a:0+10@0/vol2@b:0+10@0))"]
            }]
            """, Render(set, 1));
    }

    [Fact]
    public void Of_very_many_others_the_first_are_named_and_the_rest_is_counted()
    {
        StringBuilder script = new("subvol vol; mkfile a; write a 0 x*10");
        for (int i = 0; i < 3000; i++)
            script.Append(System.Globalization.CultureInfo.InvariantCulture, $"; mkfile f{i}; clone f{i} 0 10 a 0");
        string text = Render(Receive(script.ToString()), 0);
        string a = text.Split('\n').Single(line => line.StartsWith("  \"a\"", StringComparison.Ordinal));
        Assert.Equal(100, a.Split("vol@").Length - 1);
        Assert.EndsWith("/+2900)\"]".Replace(")", "))", StringComparison.Ordinal) + ",", a, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_known_of_an_absent_parent_is_marked()
    {
        byte[] stream = StreamScript.Make(
            "snapshot v2; mkfile etc/new; chmod etc/new 644; write etc/new 0 x; chmod etc/passwd 644; write var/log 4096 abc; truncate var/cut 10; set_xattr any user.x 1; "
            + "utimes var 5; chown only 0 0; clone etc/new 1 5 var/log 4094 22; end");
        SubvolumeSet set = new() { AllowUnknownParent = true };
        set.Receive(new MemoryStream(stream));
        Assert.Equal("""
            ["(Dir?)", {
              "any": ["(? 'user.x'='1')"],
              "etc": ["(Dir?)", {
                "new": ["(File d1u2(v2@var/log:4094+2@0)d3(v2@var/log:4096+3@0))"],
                "passwd": ["(? m644)"]
              }],
              "only": ["(? o0:0)"],
              "var": ["(Dir? t1970-01-01T00:00:05Z)", {
                "cut": ["(File? u10)"],
                "log": ["(File? u4096(v2@etc/new:1+2@4094)d3(v2@etc/new:3+3@0)u+)"]
              }]
            }]
            """, Render(set, 0));
    }
}
