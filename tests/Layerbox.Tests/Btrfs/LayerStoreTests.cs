using Layerbox.Btrfs;

namespace Layerbox.Tests.Btrfs;

public sealed class LayerStoreTests(SharedVolume shared) : StoreTest(shared), IClassFixture<SharedVolume>
{
    [Fact]
    public void A_layer_is_there_from_its_commit_on()
    {
        using LayerBuild build = Store.Begin(Recipe);
        Assert.Equal([build.Id], Names("tmp"));
        Fill(build);
        Assert.Null(Store.FindByRecipe(Recipe));
        StoredLayer layer = build.Commit();
        Assert.Equal((build.Id, $"layers/{build.Id}/volume"), (layer.Id, layer.RelativePath));
        Assert.Matches("^0123456789abcdef0123456789abcdef-[0-9a-f]{8}$", layer.Id);
        Assert.Equal("content", File.ReadAllText(Path.Combine(layer.SubvolumePath, "file")));
        Assert.Equal("{}\n", File.ReadAllText(layer.FactsPath));
        Assert.Equal(layer.Id, Store.FindByRecipe(Recipe)?.Id);
        Assert.Equal(layer.SubvolumePath, Store.Resolve(layer.RelativePath).SubvolumePath);
        Assert.Empty(Names("tmp"));
    }

    [Fact]
    public void Another_recipe_finds_nothing()
    {
        MakeLayer();
        Assert.Null(Store.FindByRecipe("1" + Recipe[1..]));
    }

    [Fact]
    public void What_is_not_committed_goes_with_all_subvolumes_in_it()
    {
        using (LayerBuild build = Store.Begin(Recipe))
        {
            Subvolume.Create(build.SubvolumePath);
            Directory.CreateDirectory(build.SubvolumePath + "/a/b");
            Subvolume.Create(build.SubvolumePath + "/a/b/inner");
            Subvolume.SetReadOnly(build.SubvolumePath + "/a/b/inner", true);
            Directory.CreateDirectory(build.Directory + "/d/e");
            Subvolume.Create(build.Directory + "/d/e/other");
            File.CreateSymbolicLink(build.Directory + "/link", Handles);
            Subvolume.SetReadOnly(build.SubvolumePath, true);
        }
        Assert.Empty(Names("tmp"));
        Assert.Empty(Names("layers"));
        Assert.Empty(Subvolumes());
        Assert.True(Directory.Exists(Handles));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Refuses_to_commit_without_a_subvolume_that_is_read_only(bool hasSubvolume)
    {
        using LayerBuild build = Store.Begin(Recipe);
        if (hasSubvolume)
            Subvolume.Create(build.SubvolumePath);
        Assert.Throws<InvalidOperationException>(build.Commit);
        Assert.Empty(Names("layers"));
    }

    [Fact]
    public void Two_builds_of_one_recipe_both_succeed_and_all_find_the_same_one()
    {
        using LayerBuild a = Store.Begin(Recipe), b = Store.Begin(Recipe);
        Fill(a);
        Fill(b);
        string[] ids = [b.Commit().Id, a.Commit().Id];
        Array.Sort(ids, StringComparer.Ordinal);
        Assert.Equal(ids, Store.ListByRecipe(Recipe).Select(layer => layer.Id));
        Assert.Equal(ids[0], Store.FindByRecipe(Recipe)?.Id);
        Assert.Equal(ids[0], Volume.Open(Volume.Path).Layers.FindByRecipe(Recipe)?.Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("layers")]
    [InlineData("layers/../volume")]
    [InlineData("/layers/0123456789abcdef0123456789abcdef-00000000/volume")]
    [InlineData("layers/0123456789abcdef0123456789abcdef-00000000/volume/")]
    [InlineData("layers/0123456789abcdef0123456789abcdef-00000000/other")]
    [InlineData("layers/0123456789abcdef0123456789abcdef-0000000/volume")]
    [InlineData("layers/0123456789ABCDEF0123456789ABCDEF-00000000/volume")]
    [InlineData("tmp/0123456789abcdef0123456789abcdef-00000000/volume")]
    public void Resolves_only_paths_of_layers(string path) =>
        Assert.Equal($"subvolume: expected 'layers/ID/volume', found '{path}'", Assert.Throws<InvalidDataException>(() => Store.Resolve(path)).Message);

    [Fact]
    public void Says_that_a_layer_is_gone()
    {
        StoredLayer layer = MakeLayer();
        Collect("--grace", "0").AssertSucceeded();
        Assert.Null(layer.TryHold());
        Assert.Equal($"{layer.Directory}: no such layer: it was removed", Assert.Throws<VolumeException>(layer.Hold).Message);
        Assert.Equal(
            $"{layer.SubvolumePath}: no such layer on this volume: it was removed, or was made on another one",
            Assert.Throws<VolumeException>(() => Store.Resolve(layer.RelativePath)).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0123456789abcdef0123456789abcde")]
    [InlineData("../../../../../../../../../../../../etc")]
    public void A_recipe_is_a_digest(string recipe) => Assert.Throws<ArgumentException>(() => Store.Begin(recipe));

    [Fact]
    public void A_temporary_folder_is_empty_ours_and_passing()
    {
        string path;
        using (TemporaryFolder folder = Store.BeginTemporary())
        {
            path = folder.Directory;
            Subvolume.Create(path + "/snapshot");
            Assert.Empty(Lines(Collect("--grace", "0")));
        }
        Assert.False(Directory.Exists(path));
        Assert.Empty(Subvolumes());
    }

    [Fact]
    public void Asks_for_the_room_that_a_build_says_it_needs() =>
        Assert.Contains("bytes are missing", Assert.Throws<VolumeException>(() => Store.Begin(Recipe, 1L << 50)).Message, StringComparison.Ordinal);
}
