using System.Text;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class SubvolumeChangesTests
{
    private const string Parent = "subvol vol; mkdir d; mkfile d/a; write d/a 0 hello; mkfile d/b; write d/b 0 x*10000; mkfile h1; link h2 h1; mkdir e; mkfile e/x; symlink l t; end";

    private static string Changes(string script, bool withParent)
    {
        SubvolumeSet set = new() { AllowUnknownParent = true, AllowNoData = true, KeepOrigins = true };
        if (withParent)
            set.Receive(new MemoryStream(StreamScript.Make(Parent)));
        set.Receive(new MemoryStream(StreamScript.Make($"snapshot v2; {script}; end", version: 2)));
        using MemoryStream lines = new();
        SubvolumeChangesJson.Write(lines, set.LabelOf(set.Subvolumes[^1]), SubvolumeChanges.Of(set.Subvolumes[^1]));
        return Encoding.UTF8.GetString(lines.ToArray()).Replace("\"subvolume\":\"v2\",", "", StringComparison.Ordinal).TrimEnd('\n');
    }

    // With the parent, and what is told without it where that differs.
    [Theory]
    [InlineData("mkfile o257-1-0; rename o257-1-0 d/new; write d/new 0 abc; truncate d/new 3; chmod d/new 644",
        """{"op":"created","path":"d/new","type":"file","size":3}""")]
    [InlineData("mkdir o257-1-0; rename o257-1-0 f; mkfile o258-1-0; rename o258-1-0 f/g; link f/h f/g",
        """
        {"op":"created","path":"f","type":"directory"}
        {"op":"created","path":"f/g","type":"file","size":0}
        {"op":"linked","path":"f/h","link":"f/g","type":"file"}
        """)]
    [InlineData("unlink d/a", """{"op":"deleted","path":"d/a","type":"file"}""", """{"op":"deleted","path":"d/a"}""")]
    [InlineData("rename e o260-1-0; unlink o260-1-0/x; rmdir o260-1-0", // through a name of the sender's own
        """
        {"op":"deleted","path":"e","type":"directory"}
        {"op":"deleted","path":"e/x","type":"file"}
        """,
        """
        {"op":"deleted","path":"e","type":"directory"}
        {"op":"deleted","path":"e/x"}
        """)]
    [InlineData("link d/c d/a; unlink d/a", """{"op":"renamed","path":"d/c","from":"d/a","type":"file"}""", """{"op":"renamed","path":"d/c","from":"d/a"}""")] // how files are renamed
    [InlineData("rename d dd; write dd/a 0 J", // what a directory holds goes with it
        """
        {"op":"renamed","path":"dd","from":"d","type":"directory"}
        {"op":"rewritten","path":"dd/a","type":"file","bytes":1,"size":5}
        """,
        """
        {"op":"renamed","path":"dd","from":"d","type":"directory"}
        {"op":"rewritten","path":"dd/a","type":"file","bytes":1}
        """)]
    [InlineData("rename d o257-1-0; rename e d; rename o257-1-0 e; utimes d/x 5", // two that change names
        """
        {"op":"renamed","path":"d","from":"e","type":"directory"}
        {"op":"metadata","path":"d/x","type":"file","aspects":["time"]}
        {"op":"renamed","path":"e","from":"d","type":"directory"}
        """,
        """
        {"op":"renamed","path":"d","from":"e","type":"directory"}
        {"op":"metadata","path":"d/x","aspects":["time"]}
        {"op":"renamed","path":"e","from":"d"}
        """)]
    [InlineData("link h3 h1", """{"op":"linked","path":"h3","link":"h1","type":"file"}""", """{"op":"linked","path":"h3","link":"h1"}""")]
    [InlineData("unlink h2", """{"op":"deleted","path":"h2","type":"file"}""", """{"op":"deleted","path":"h2"}""")]
    [InlineData("write d/b 100 y*50; truncate d/b 9000", """{"op":"rewritten","path":"d/b","type":"file","bytes":50,"size":9000}""")]
    [InlineData("update_extent d/b 0 4096", """{"op":"rewritten","path":"d/b","type":"file","bytes":4096,"size":10000}""", """{"op":"rewritten","path":"d/b","type":"file","bytes":4096}""")]
    [InlineData("chmod d/a 4755; chown d/a 1 2; set_xattr d/a user.x 1; utimes d/a 5; utimes - 6",
        """
        {"op":"metadata","path":"","type":"directory","aspects":["time"]}
        {"op":"metadata","path":"d/a","type":"file","aspects":["mode","owner","time","xattrs"]}
        """,
        """
        {"op":"metadata","path":"","type":"directory","aspects":["time"]}
        {"op":"metadata","path":"d/a","aspects":["mode","owner","time","xattrs"]}
        """)]
    [InlineData("unlink l; mkdir o300-1-0; rename o300-1-0 l", // another thing under the same name
        """
        {"op":"deleted","path":"l","type":"symlink"}
        {"op":"created","path":"l","type":"directory"}
        """,
        """
        {"op":"deleted","path":"l"}
        {"op":"created","path":"l","type":"directory"}
        """)]
    [InlineData("chmod d/a 600", "", """{"op":"metadata","path":"d/a","aspects":["mode"]}""")] // what it was already
    [InlineData("fileattr d/a 1", "")]
    public void Tells_what_became_of_paths(string script, string changes, string? without = null)
    {
        Assert.Equal(changes, Changes(script, withParent: true));
        Assert.Equal(without ?? changes, Changes(script, withParent: false));
    }

    [Fact]
    public void A_full_stream_creates_all()
    {
        SubvolumeSet set = new() { KeepOrigins = true };
        set.Receive(new MemoryStream(StreamScript.Make("subvol vol; mkfile o257-1-0; rename o257-1-0 \u00ff; symlink l t; end")));
        using MemoryStream lines = new();
        SubvolumeChangesJson.Write(lines, "vol", SubvolumeChanges.Of(set.Subvolumes[0]));
        Assert.Equal("""
            {"op":"created","subvolume":"vol","path":"","type":"directory"}
            {"op":"created","subvolume":"vol","path":"l","type":"symlink"}
            {"op":"created","subvolume":"vol","path_b64":"/w==","type":"file","size":0}

            """, Encoding.UTF8.GetString(lines.ToArray()));
    }

    [Fact]
    public void Bytes_that_only_the_absent_parent_knows_are_not_new_however_long_the_chain()
    {
        SubvolumeSet set = new() { AllowUnknownParent = true, KeepOrigins = true };
        set.Receive(new MemoryStream(StreamScript.Make("snapshot v2; write a 4096 x*4096; end")));
        set.Receive(new MemoryStream(StreamScript.Make("snapshot v3 33 22; write a 8192 y*1000; write a 5000 z*10; end")));
        Assert.Equal([4096, 1010], set.Subvolumes.Select(subvolume => Assert.Single(SubvolumeChanges.Of(subvolume)).Bytes));
    }

    [Fact]
    public void Of_a_chain_each_stream_tells_its_own_changes()
    {
        SubvolumeSet set = new() { AllowUnknownParent = true, KeepOrigins = true };
        set.Receive(new MemoryStream(StreamScript.Make("snapshot v2; chmod a 600; chmod b 600; end")));
        set.Receive(new MemoryStream(StreamScript.Make("snapshot v3 33 22; chmod b 644; rename c d; end")));
        Assert.Equal(["Metadata /b", "Renamed /d"], SubvolumeChanges.Of(set.Subvolumes[1]).Select(c => $"{c.Change} {c.Path}"));
    }
}
