namespace Layerbox.Tests.EndToEnd;

/// <summary>The example of layers of packages: pinned to a snapshot, and moved to the next one.</summary>
public class RpmExampleTests
{
    [Fact]
    public void A_layer_is_pinned_to_a_snapshot_and_moves_when_the_tag_does()
    {
        using Workbench bench = Workbench.OrSkip();
        string made = Repository.PathOf("artifacts", "made-rpms");
        (int status, _, string errors) = Programs.Try(Repository.PathOf("scripts", "make-rpms"), made);
        Assert.SkipWhen(status == 77 && Environment.GetEnvironmentVariable("CI") != "true", errors.TrimEnd().Split('\n')[^1]);
        Assert.True(status == 0, $"make-rpms: exit status {status}: {errors}");
        bench.Script("""
            mkdir bin; "$L" --install bin; cp --recursive "$1" rpms; rm --recursive --force rpms/store
            """, Repository.PathOf("examples", "rpms"));

        string compile = """
            for layer in base app; do "$L" layer-compile rpms/$layer.layer.json --output rpms/$layer.layer --progress none | sed 's/.*"digest":"\([^"]*\)".*/\1/'; done
            """;
        Assert.Equal("", bench.Script("PATH=$PWD/bin:$PATH rpms/next-snapshot \"file://$1/one\"", made));
        string first = bench.Script(compile);
        Assert.Equal("manual 1\n", bench.Must("container-run", "rpms/app.layer"));

        // What is new does not matter before it is accepted.
        string review = bench.Script("PATH=$PWD/bin:$PATH rpms/next-snapshot \"file://$1/two\"", made);
        Assert.Contains("""{"change":"upgraded","repo":"base","name":"tool","arch":"noarch","from":"2-1","to":"3-1"}""", review, StringComparison.Ordinal);
        Assert.Equal(first, bench.Script(compile));

        bench.Script("PATH=$PWD/bin:$PATH rpms/next-snapshot --accept \"file://$1/two\"", made);
        (status, string output, errors) = bench.Shell(compile);
        Assert.Equal("layer-compile: rpms/app.layer.json: features[0]: rpms_install manual-1-1.noarch: no package matches 'manual-1-1.noarch'\n", errors);
        // Of the base's packages none is another, so neither is the base.
        Assert.Equal((1, first.Split('\n')[0]), (output.Count(c => c == '\n'), output.TrimEnd()));
    }
}
