using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class TreeDifferenceTextTests
{
    private static (Tree From, Tree To) Sample()
    {
        Tree from = new();
        foreach (string name in (string[])["a", "b", "gone", "m"])
            Trees.Put(from, name, Trees.File("x"));
        Trees.Put(from, "t", Inode.Symlink("x"u8.ToArray()));
        Trees.Put(from, "v", Inode.Device(false, 0, 1, 3));
        Trees.Get(from, "a").Xattrs = XattrSet.From([new("user.old"u8.ToArray(), []), new("user.same"u8.ToArray(), []), new("user.set"u8.ToArray(), [])]);
        Tree to = from.Copy();
        Trees.Get(to, "a").Xattrs = XattrSet.From([new("user.new"u8.ToArray(), []), new("user.same"u8.ToArray(), []), new("user.set"u8.ToArray(), [1])]);
        Trees.Remove(to, "b");
        Trees.Put(to, "b", Inode.Directory(Trees.Octal("644")));
        Trees.Remove(to, "gone");
        Inode m = Trees.Get(to, "m");
        (m.Mode, m.Uid, m.Gid, m.ModificationTime, m.Content) = (Trees.Octal("4600"), 1, 2, new(-1, 5), new MemoryContent([]));
        Trees.Put(to, "m-link\n", m);
        Trees.Remove(to, "t");
        Trees.Put(to, "t", Inode.Symlink([0xff]));
        Trees.Remove(to, "v");
        Trees.Put(to, "v", Inode.Device(false, 0, 1, 5));
        return (from, to);
    }

    [Fact]
    public void Tells_a_change_a_line()
    {
        (Tree from, Tree to) = Sample();
        Assert.Equal("""
            M /a xattrs -user.old +user.new ~user.set
            M /b kind file -> directory
            D /gone
            M /m mode 0644 -> 4600, owner 0:0 -> 1:2, time 0.000000000 -> -1.000000005, content
            A /m-link\x0a link to /m
            M /t target x -> \xff
            M /v device 1:3 -> 1:5

            """, TreeDifferenceText.Render(TreeDifference.Compare(from, to)));
    }

    [Fact]
    public void Tells_links()
    {
        Tree apart = new();
        Trees.Put(apart, "a", Trees.File(""));
        Tree linked = apart.Copy();
        Trees.Put(apart, "b", Trees.File(""));
        Trees.Put(linked, "b", Trees.Get(linked, "a"));
        Assert.Equal("M /b links none -> /a\n", TreeDifferenceText.Render(TreeDifference.Compare(apart, linked)));
        Assert.Equal("M /b links /a -> none\n", TreeDifferenceText.Render(TreeDifference.Compare(linked, apart)));
        Assert.Equal("""{"op":"changed","path":"b","aspects":["links"],"old":{"link":null},"new":{"link":"a"}}""", Json(apart, linked).Trim());
    }

    private static string Json(Tree from, Tree to)
    {
        using MemoryStream stream = new();
        TreeDifferenceText.WriteJson(stream, TreeDifference.Compare(from, to));
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    [Fact]
    public void Tells_a_change_a_JSON_line()
    {
        const string x = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        const string zero = "\"mtime\":{\"sec\":0,\"nsec\":0}", later = "\"mtime\":{\"sec\":-1,\"nsec\":5}";
        (Tree from, Tree to) = Sample();
        Assert.Equal($$$"""
            {"op":"changed","path":"a","aspects":["xattrs"],"old":{"xattrs":[{"name":"user.old","value_b64":""},{"name":"user.same","value_b64":""},{"name":"user.set","value_b64":""}]},"new":{"xattrs":[{"name":"user.new","value_b64":""},{"name":"user.same","value_b64":""},{"name":"user.set","value_b64":"AQ=="}]}}
            {"op":"changed","path":"b","aspects":["kind"],"old":{"type":"file","size":1,"digest":"{{{x}}}"},"new":{"type":"directory"}}
            {"op":"removed","path":"gone","old":{"type":"file","mode":"0644","uid":0,"gid":0,{{{zero}}},"size":1,"digest":"{{{x}}}"}}
            {"op":"changed","path":"m","aspects":["mode","owner","time","content"],"old":{"mode":"0644","uid":0,"gid":0,{{{zero}}},"size":1,"digest":"{{{x}}}"},"new":{"mode":"4600","uid":1,"gid":2,{{{later}}},"size":0,"digest":"{{{empty}}}"}}
            {"op":"added","path":"m-link\n","new":{"type":"file","mode":"4600","uid":1,"gid":2,{{{later}}},"size":0,"digest":"{{{empty}}}","link":"m"}}
            {"op":"changed","path":"t","aspects":["target"],"old":{"target":"x"},"new":{"target_b64":"/w=="}}
            {"op":"changed","path":"v","aspects":["device"],"old":{"major":1,"minor":3},"new":{"major":1,"minor":5}}

            """, Json(from, to));
    }
}
