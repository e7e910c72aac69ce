using Layerbox.Btrfs;

namespace Layerbox.Tests.Btrfs;

public class VolumeLocationTests(SharedVolume shared) : IClassFixture<SharedVolume>
{
    [Theory]
    [InlineData("/option", true, "/option", "LAYERBOX_VOLUME=/env", "XDG_CACHE_HOME=/xdg", "HOME=/h")]
    [InlineData(null, true, "/env", "LAYERBOX_VOLUME=/env", "XDG_CACHE_HOME=/xdg", "HOME=/h")]
    [InlineData(null, false, "/xdg/layerbox", "XDG_CACHE_HOME=/xdg", "HOME=/h")]
    [InlineData(null, false, "/h/.cache/layerbox", "HOME=/h")]
    [InlineData(null, false, "/h/.cache/layerbox", "XDG_CACHE_HOME=relative", "HOME=/h")]
    public void Is_found_in_this_order(string? option, bool isNamed, string directory, params string[] variables) =>
        Assert.Equal(new VolumeLocation(directory, !isNamed), VolumeLocation.Find(option, Lookup(variables), "/"));

    [Theory]
    [InlineData("HOME=relative")]
    [InlineData("PATH=/bin")]
    public void Says_what_to_set_when_there_is_no_home(string variable)
    {
        VolumeException e = Assert.Throws<VolumeException>(() => VolumeLocation.Find(null, Lookup(variable), "/"));
        Assert.Equal(
            "no place for the default volume: neither $XDG_CACHE_HOME nor $HOME is an absolute path: set one, "
            + "or point --volume or $LAYERBOX_VOLUME at a folder on a btrfs filesystem",
            e.Message);
    }

    [Theory]
    [InlineData("p", "p/.layerbox")]
    [InlineData("p/q/r", "p/.layerbox")]
    [InlineData("p/q/own", "p/q/own/.layerbox")]
    public void Is_the_nearest_project_folder_on_btrfs(string current, string expected)
    {
        string folder = shared.Folder();
        foreach (string made in new[] { "p/.layerbox", "p/q/r", "p/q/own/.layerbox" })
            Directory.CreateDirectory(Path.Combine(folder, made));
        Assert.Equal(Path.Combine(folder, expected), VolumeLocation.Find(null, Lookup("HOME=/h"), Path.Combine(folder, current)).Directory);
    }

    [Fact]
    public void A_project_folder_elsewhere_counts_when_it_has_an_image()
    {
        using TempFolder folder = new();
        Directory.CreateDirectory(folder / ".layerbox");
        string Found() => VolumeLocation.Find(null, Lookup("HOME=/h"), folder.Path).Directory;
        Assert.Equal("/h/.cache/layerbox", Found());
        File.WriteAllText(folder / ".layerbox/volume.img", "");
        Assert.Equal(folder / ".layerbox", Found());
    }

    [Theory]
    [InlineData("HOME=/h", true)]
    [InlineData("SUDO_UID=4321", false)]
    public void A_project_folder_of_somebody_else_is_not_trusted(string variable, bool isRefused)
    {
        string folder = shared.Folder();
        Directory.CreateDirectory(folder + "/.layerbox");
        Programs.Run("chown", "4321", folder + "/.layerbox");
        Exception? e = Record.Exception(() => VolumeLocation.Find(null, Lookup(variable), folder));
        Assert.Equal(isRefused ? $"{folder}/.layerbox: belongs to user 4321, not to you: name it with --volume if you trust it" : null, e?.Message);
    }

    [Theory]
    [InlineData("XDG_CACHE_HOME=/proc/nope", "/proc/nope")]
    [InlineData("HOME=/dev/null", "/dev/null/.cache")]
    public void Says_what_to_do_when_the_cache_cannot_be_written(string variable, string path)
    {
        IOException e = Assert.ThrowsAny<IOException>(() => Volume.Open(null, Lookup(variable), "/"));
        Assert.StartsWith(path, e.Message, StringComparison.Ordinal);
        Assert.EndsWith(
            "the default volume cannot be made: set $XDG_CACHE_HOME to a folder that can be written, or point --volume or $LAYERBOX_VOLUME at a folder on a btrfs filesystem",
            e.Message, StringComparison.Ordinal);
    }

    private static Func<string, string?> Lookup(params string[] variables) =>
        name => variables.FirstOrDefault(v => v.StartsWith(name + "=", StringComparison.Ordinal))?[(name.Length + 1)..];
}
