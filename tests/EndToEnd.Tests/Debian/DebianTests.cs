using System.Globalization;

namespace Layerbox.Tests.EndToEnd;

/// <summary>A whole Debian through all that the tools do, compared with what tar and a careful person do with it.</summary>
public class DebianTests(DebianLayers layers) : IClassFixture<DebianLayers>
{
    [Fact]
    public void Imports_what_tar_unpacks()
    {
        Workbench bench = layers.BenchOrSkip();
        List<string> expected = Listing.OfFolder(layers.PlainBase);
        Assert.InRange(expected.Count, 10_000, 100_000);
        // The corner cases are there, or their comparison would say little.
        Assert.All(["user.origin=", "security.capability=", ": f 9ed ", ": p ", ": c ", "caf\xe9", "hardlink = opt", new string('n', 120)],
            part => Assert.Contains(expected, line => line.StartsWith("/opt/corner/", StringComparison.Ordinal) && line.Contains(part, StringComparison.Ordinal)));
        AssertIsLayer(bench, expected, "base.layer");
        long allocated = long.Parse(Programs.Run("stat", "--format=%b", layers.LayerPath("base.layer") + "/opt/corner/sparse"), CultureInfo.InvariantCulture) * 512;
        Assert.InRange(allocated, 1, 1 << 20);
    }

    [Fact]
    public void Compiles_what_a_person_changes()
    {
        Workbench bench = layers.BenchOrSkip();
        List<string> expected = Listing.OfFolder(layers.PlainChild);
        Assert.Contains(expected, line => line.StartsWith("/var/lib/list: f 1a4 0:0 1600000000 ", StringComparison.Ordinal));
        AssertIsLayer(bench, expected, "child.layer");
    }

    [Theory]
    [InlineData("base.layer")]
    [InlineData("child.layer")]
    public void Packages_what_tar_unpacks_again(string layer)
    {
        Workbench bench = layers.BenchOrSkip();
        DebianLayers.Measure(bench, "image-package", layer, "--format", "tar", "--output", "packaged.tar", "--progress", "none");
        bench.Script("""
            mkdir "$V/plain/unpacked"
            tar --extract --file packaged.tar --directory "$V/plain/unpacked" --xattrs --xattrs-include '*' --numeric-owner --same-permissions
            """);
        List<string> unpacked = Listing.OfFolder(Path.Combine(bench.Volume, "plain", "unpacked"));
        bench.Script("rm --recursive packaged.tar \"$V/plain/unpacked\"");
        Listing.AssertSame(Listing.OfFolder(layers.LayerPath(layer)), unpacked);
    }

    [Fact]
    public void Sends_what_btrfs_receives()
    {
        Workbench bench = layers.BenchOrSkip();
        using TempVolume other = TempVolume.OrSkip();
        bench.Script("""
            mkdir "$1/first" "$1/next"
            "$L" sendstream-make base.layer | btrfs receive --quiet "$1/first"
            "$L" sendstream-make --parent base.layer child.layer > child.stream
            btrfs receive --quiet -f child.stream "$1/next"
            """, other.Path);
        // What both have in common is not sent again.
        Assert.InRange(new FileInfo(bench / "child.stream").Length, 1, 2 << 20);
        Listing.AssertSame(OfLayer(bench, "base.layer"), Listing.OfFolder(Assert.Single(Directory.GetDirectories(other / "first"))));
        Listing.AssertSame(OfLayer(bench, "child.layer"), Listing.OfFolder(Assert.Single(Directory.GetDirectories(other / "next"))));
    }

    private void AssertIsLayer(Workbench bench, List<string> expected, string layer)
    {
        Listing.AssertSame(expected, Listing.OfFolder(layers.LayerPath(layer)));
        Listing.AssertSame(expected, OfLayer(bench, layer));
    }

    private static List<string> OfLayer(Workbench bench, string layer) => Listing.OfJson(bench.Must("layer-show", layer, "--format", "json"));
}
