namespace Layerbox.Tests.EndToEnd;

/// <summary>Many builders and a collector on one volume: nobody gets in another's way.</summary>
public class SideBySideTests
{
    // Eight at once in each round: four children of one parent, two with a run step; two of them twice; one without a parent, twice as well.
    private static readonly string[] Specs = ["a", "b", "c", "d", "a", "c", "alone", "alone"];

    private const string CollectorLoop = """
        collect() { while [[ ! -e stop ]]; do "$L" subvol-gc "$@" || echo "exit status $?"; done; }
        """;

    [Fact]
    public void With_handles_written_to_files_and_no_grace()
    {
        using Workbench bench = Prepare();
        (int status, string output, string errors) = bench.Shell(CollectorLoop + "\n" + """
            collect --grace 0s > gc.out 2> gc.err & gc=$!
            for round in 1 2 3 4; do
              cached=; (( round % 2 )) || cached=--no-cache
              jobs=()
              i=0
              for spec in "$@"; do
                "$L" layer-compile $spec.layer.json $cached --progress none --output $i.layer > $i.$round.out & jobs+=($!)
                i=$((i + 1))
              done
              for job in ${jobs[@]}; do wait $job || echo "exit status $?"; done
              for i in 0 1 2 3 4 5 6 7; do
                cmp $i.layer $i.$round.out
                "$L" layer-show $i.layer > $i.$round.tree
              done
              rm 1.layer 5.layer
            done
            "$L" layer-compile b.layer.json --progress none --output 1.layer > /dev/null
            "$L" layer-compile c.layer.json --progress none --output 5.layer > /dev/null
            touch stop; wait $gc
            # A slow machine may have come to the first rounds alone.
            "$L" subvol-gc --grace 0s >> gc.out
            cat gc.err; grep -c '"removed":"layers/' gc.out
            """, Specs);
        Assert.Equal((0, ""), (status, errors));
        Assert.InRange(int.Parse(output, System.Globalization.CultureInfo.InvariantCulture), 8, 100);
        AssertSameTrees(bench, rounds: 4);
        bench.AssertNothingLeaks(["base.layer", .. Enumerable.Range(0, Specs.Length).Select(i => $"{i}.layer")]);
    }

    [Fact]
    public void With_handles_passed_on_by_pipes()
    {
        using Workbench bench = Prepare();
        (int status, string output, string errors) = bench.Shell(CollectorLoop + "\n" + """
            set -o pipefail
            collect > gc.out 2>&1 & gc=$!
            for round in 1 2 3; do
              cached=; (( round % 2 )) || cached=--no-cache
              jobs=()
              i=0
              for spec in "$@"; do
                "$L" layer-compile $spec.layer.json $cached --progress none | "$L" layer-show - > $i.$round.tree & jobs+=($!)
                i=$((i + 1))
              done
              for job in ${jobs[@]}; do wait $job || echo "exit status $?"; done
            done
            touch stop; wait $gc
            cat gc.out
            """, Specs);
        Assert.Equal((0, "", ""), (status, output, errors));
        AssertSameTrees(bench, rounds: 3);
        bench.AssertNothingLeaks("base.layer");
    }

    private static Workbench Prepare()
    {
        Workbench bench = Workbench.OrSkip();
        try
        {
            bench.Script("mkdir files; for i in {1..200}; do echo \"number $i\" > files/$i; done");
            bench.Write("base.layer.json", """
                { "name": "base", "features": [
                  { "item": "extract", "root": "/", "programs": ["/bin/sh", "/usr/bin/touch"] },
                  { "item": "ensure_dirs", "path": "/etc" },
                  { "item": "text", "dest": "/etc/passwd", "text": "root:x:0:0::/:/bin/sh\n", "mode": "0644" },
                  { "item": "text", "dest": "/etc/group", "text": "root:x:0:\n", "mode": "0644" }
                ] }
                """);
            bench.Write("alone.layer.json", """{ "name": "alone", "features": [{ "item": "install", "source": "files", "dest": "/files" }] }""");
            foreach (string name in Specs.Distinct().Where(name => name != "alone"))
            {
                string run = name is "c" or "d" ? """{ "item": "run", "command": ["/bin/sh", "-c", "touch /made"] },""" : "";
                bench.Write($"{name}.layer.json", $$"""
                    { "name": "{{name}}", "parent": "base.layer", "features": [ {{run}}
                      { "item": "install", "source": "files", "dest": "/{{name}}" }
                    ] }
                    """);
            }
            bench.Must("layer-compile", "base.layer.json", "--output", "base.layer");
            return bench;
        }
        catch
        {
            bench.Dispose();
            throw;
        }
    }

    // Of each round and each place the same specification gave the same content, and none is empty.
    private static void AssertSameTrees(Workbench bench, int rounds)
    {
        foreach (IGrouping<string, int> same in Enumerable.Range(0, Specs.Length).GroupBy(i => Specs[i]))
        {
            string[] trees = [.. same.SelectMany(i => Enumerable.Range(1, rounds).Select(round => File.ReadAllText(bench / $"{i}.{round}.tree")))];
            Assert.Contains("199", trees[0], StringComparison.Ordinal);
            Assert.All(trees, tree => Assert.Equal(trees[0], tree));
        }
    }
}
