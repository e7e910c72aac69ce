using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public sealed class IncludeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private void Write(string name, string features)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder / name)!);
        File.WriteAllText(_folder / name, $$"""{"features":[{{features}}]}""");
    }

    private const string IncludeSub = """{"item":"include","feature":"sub/a.feature.json"}""";

    [Fact]
    public void Paths_in_a_feature_start_at_its_own_folder()
    {
        Write("sub/a.feature.json", """{"item":"install","source":"data","dest":"/a"}, {"item":"include","feature":"../b.feature.json"}""");
        Write("b.feature.json", """{"item":"install","source":"sub/data","dest":"/b"}""");
        File.WriteAllText(_folder / "sub/data", "x");
        Assert.Equal("/ /a /b", Paths(IncludeSub));
    }

    [Fact]
    public void A_feature_that_is_reached_twice_counts_once_and_so_do_its_removals_and_equal_items()
    {
        Write("sub/a.feature.json", """{"item":"include","feature":"../c.feature.json"}, {"item":"text","dest":"/a","text":""}""");
        Write("b.feature.json", """{"item":"include","feature":"sub/../c.feature.json"}, {"item":"text","dest":"/a","text":""}""");
        Write("c.feature.json", """{"item":"remove","path":"/old"}, {"item":"text","dest":"/c","text":""}""");
        Tree parent = Draft.Compile("""{"item":"text","dest":"/old","text":""}""");
        Assert.Equal("/ /a /c", string.Join(' ', Draft.Compile(IncludeSub + """, {"item":"include","feature":"b.feature.json"}""", parent, _folder.Path).Walk().Select(e => e.Key)));
    }

    [Fact]
    public void Twenty_floors_of_two_includes_each_are_read_at_once()
    {
        for (int i = 0; i < 20; i++)
            Write($"{i}.feature.json", $$"""{"item":"include","feature":"{{i + 1}}.feature.json"}, {"item":"include","feature":"./{{i + 1}}.feature.json"}""");
        Write("20.feature.json", """{"item":"text","dest":"/x","text":""}""");
        Assert.Equal("/ /x", Paths("""{"item":"include","feature":"0.feature.json"}"""));
    }

    [Fact]
    public void Says_who_includes_itself()
    {
        Write("sub/a.feature.json", """{"item":"include","feature":"../b.feature.json"}""");
        Write("b.feature.json", """{"item":"requires","paths":["/"]}, {"item":"include","feature":"sub/a.feature.json"}""");
        Assert.Equal($"{_folder.Path}/sub/../b.feature.json: features[1]: 'sub/a.feature.json' includes itself: t.layer.json -> a.feature.json -> b.feature.json -> a.feature.json",
            Assert.Throws<SpecificationException>(() => Paths(IncludeSub)).Message);
    }

    [Theory]
    [InlineData("""{"item":"text","dest":"/x"}""", "features[0]: member 'text' is missing")]
    [InlineData("""{"item":"text","dest":"/no/x","text":""}""", "features[0]: text /no/x: /no as a directory is required, but nothing provides it")]
    [InlineData("""],"parent":"x","y":[""", "unknown member 'parent'; known are features, name")]
    [InlineData("""x""", "line 1, column 14: 'x' is an invalid start of a value")]
    public void Names_the_feature_in_errors(string features, string error)
    {
        Write("sub/a.feature.json", features);
        Assert.Equal($"{_folder.Path}/sub/a.feature.json: {error}", Assert.ThrowsAny<LayerException>(() => Paths(IncludeSub)).Message);
    }

    [Fact]
    public void Names_the_feature_that_is_missing() =>
        Assert.StartsWith($"{_folder.Path}/sub/a.feature.json: ", Assert.ThrowsAny<IOException>(() => Paths(IncludeSub)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_source_map_leads_names_elsewhere()
    {
        File.WriteAllText(_folder / "elsewhere.json", """{"features":[{"item":"install","source":"//x:data","dest":"/d"}]}""");
        File.WriteAllText(_folder / "real", "x");
        File.CreateSymbolicLink(_folder / "data", _folder / "real");
        File.WriteAllText(_folder / "map.json", """{"//x:feature":"elsewhere.json","//x:data":"data"}""");
        File.WriteAllText(_folder / "t.layer.json", """{"name":"t","features":[{"item":"include","feature":"//x:feature"}]}""");
        LayerSpec spec = LayerSpec.Read(_folder / "t.layer.json", Sources.ReadMap(_folder / "map.json"));
        LayerDraft draft = new(new Tree(), default, new MemoryContentStore());
        FeaturePhase.Apply(draft, spec.Items);
        Assert.Equal("x", draft.Tree.Text("d"));
    }

    private string Paths(string features) => string.Join(' ', Draft.Compile(features, folder: _folder.Path).Walk().Select(e => e.Key));
}
