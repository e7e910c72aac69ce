using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.Tests.Rootfs;

namespace Layerbox.Tests.SendStream;

/// <summary>Streams made to reach beyond the directory that they are applied to: not one byte of anything else changes.</summary>
public sealed class HostileStreamTests : IDisposable
{
    private readonly StreamFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("a file above the subvolume", "mkfile ../evil", "(mkfile)")]
    [InlineData("a file above it, by a detour", "mkdir a; mkfile a/../../evil", "(mkfile)")]
    [InlineData("an absolute path", "mkfile OUTSIDE/evil", "(mkfile)")]
    [InlineData("a write to an absolute path", "write OUTSIDE/canary 0 evil", "(write)")]
    [InlineData("a write through a link", "symlink l ../../outside; write l/canary 0 evil", "(write)")]
    [InlineData("a write through an absolute link", "symlink l OUTSIDE; write l/canary 0 evil", "(write)")]
    [InlineData("a write to a link itself", "symlink l OUTSIDE/canary; write l 0 evil", "(write)")]
    [InlineData("a truncation of a link's target", "symlink l OUTSIDE/canary; truncate l 0", "(truncate)")]
    [InlineData("a mode for a link", "symlink l OUTSIDE/canary; chmod l 777", "(chmod)")]
    [InlineData("a file below a link", "symlink l OUTSIDE; mkfile l/evil", "(mkfile)")]
    [InlineData("a directory below a link in a directory", "mkdir d; symlink d/l OUTSIDE; mkdir d/l/evil", "(mkdir)")]
    [InlineData("an unlink below a link", "symlink l OUTSIDE; unlink l/canary", "(unlink)")]
    [InlineData("a removal below a link", "symlink l OUTSIDE; rmdir l/sub", "(rmdir)")]
    [InlineData("a rename out", "mkfile f; rename f ../evil", "(rename)")]
    [InlineData("a rename out through a link", "symlink l OUTSIDE; mkfile f; rename f l/canary", "(rename)")]
    [InlineData("a rename in through a link", "symlink l OUTSIDE; rename l/canary f", "(rename)")]
    [InlineData("a directory swapped for a link", "mkdir d; mkfile d/f; symlink l OUTSIDE; rename d e; rename l d; write d/canary 0 evil", "(write)")]
    [InlineData("a hard link to something outside", "link mine OUTSIDE/canary", "(link)")]
    [InlineData("a hard link through a link", "symlink l OUTSIDE; link mine l/canary", "(link)")]
    [InlineData("a clone from a file outside", "mkfile f; clone f 0 4 ../../outside/canary 0", "(clone)")]
    [InlineData("a clone through a link", "mkfile f; symlink l OUTSIDE; clone f 0 4 l/canary 0", "(clone)")]
    [InlineData("a clone from a subvolume that nobody gave", "mkfile f; clone f 0 4 canary 0 33", "(clone)")]
    [InlineData("an attribute through a link", "symlink l OUTSIDE/canary; set_xattr l/ user.x v", "(set_xattr)")]
    [InlineData("a time through a link", "symlink l OUTSIDE; utimes l/canary 1", "(utimes)")]
    public void Nothing_outside_is_reached(string what, string script, string command)
    {
        Assert.NotEmpty(what);
        List<string> before = _files.Outside;
        string stream = _files.Make("evil", $"subvol vol; mkfile first; {script.Replace("OUTSIDE", _files / "outside", StringComparison.Ordinal)}; end");
        AssertRefused(command, Tools.Run("sendstream-apply", _files.Out, stream));
        AssertRefused(command, Tools.Run("sendstream-tar", stream, "--output", _files.Out));
        Assert.Equal(before, _files.Outside);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_files / "out"));
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("/abs")]
    public void A_subvolume_with_a_strange_name_is_refused(string name)
    {
        AssertRefused("(subvol)", Tools.Run("sendstream-apply", _files.Out, _files.Make("evil", $"subvol {name}; mkfile f; end")));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_files / "out"));
    }

    /// <summary>Links are good content. It is the directory itself that leads outside here, and the stream that goes along.</summary>
    [Theory]
    [InlineData("mkfile l/evil")]
    [InlineData("write l/canary 0 evil")]
    [InlineData("write f 0 evil")]
    [InlineData("unlink l/canary")]
    [InlineData("rename f l/evil")]
    [InlineData("chmod d/up/outside/canary 777")]
    public void Links_that_lie_in_the_directory_are_not_followed(string script)
    {
        Directory.CreateDirectory(_files.Out);
        Programs.Shell($"cd {_files.Out}; ln -s {_files / "outside"} l; ln -s {_files / "outside/canary"} f; mkdir d; ln -s ../../.. d/up");
        (List<string> before, List<string> inside) = (_files.Outside, TreeLines.Of(RootfsReader.Read(_files.Out)));
        AssertRefused("command 2 ", Tools.Run("sendstream-apply", "--parent-unchecked", _files.Out, _files.Make("evil", $"snapshot vol2 22 11; {script}; end")));
        Assert.Equal(before, _files.Outside);
        Assert.Equal(inside, TreeLines.Of(RootfsReader.Read(_files.Out)));
    }

    [Fact]
    public void Links_are_replaced_and_not_written_through()
    {
        Directory.CreateDirectory(_files.Out);
        Programs.Shell($"cd {_files.Out}; ln -s {_files / "outside"} l; ln -s {_files / "outside/canary"} f");
        List<string> before = _files.Outside;
        string stream = _files.Make("good", "snapshot vol2 22 11; unlink f; mkfile f; write f 0 mine; unlink l; mkdir l; mkfile l/canary; end");
        Tools.Run("sendstream-apply", "--parent-unchecked", _files.Out, stream).AssertSucceeded();
        Assert.Equal(before, _files.Outside);
        Assert.Equal("mine", File.ReadAllText(_files.Out + "/f"));
        Assert.Equal(FileKind.Directory, RootfsReader.Read(_files.Out).Find(TreePath.Parse("l"))!.Kind);
    }

    private static void AssertRefused(string command, Tools.Result result)
    {
        Assert.Equal(2, result.Status);
        Assert.Contains(command, result.FirstErrorLine, StringComparison.Ordinal);
        Assert.Matches(": offset [0-9]+: command [0-9]+ ", result.FirstErrorLine);
    }
}
