namespace Layerbox.Tests.EndToEnd;

/// <summary>The examples come out the same wherever they are compiled, and do what they are examples of.</summary>
public class ExampleTests
{
    private const string Here = """
        umask 022
        settings='TZ=UTC LC_ALL=C HOME=/root'
        cp --archive "$example" copy
        """;

    // Other settings, another host name, and the same files written in another order with other times and modes; only the owner's x bit,
    // which git keeps, is what it was.
    private const string Elsewhere = """
        umask 077
        settings='TZ=Asia/Kathmandu LC_ALL=tr_TR.UTF-8 LANG=de_DE.UTF-8 HOME=/nonexistent USER=nobody'
        hostname elsewhere
        (cd "$example" && find . | sort --reverse) | while read -r path; do
          mkdir --parents "copy/$(dirname "$path")"
          if [[ ! -L $example/$path && -d $example/$path ]]; then mkdir --parents "copy/$path"; else cp --no-dereference "$example/$path" "copy/$path"; fi
        done
        find copy -type d -exec chmod 0700 {} +
        find copy -type f -perm -100 -exec chmod 0710 {} +
        find copy -type f ! -perm -100 -exec chmod 0640 {} +
        find copy -exec touch --no-dereference --date @1234567890 {} +
        """;

    // Prints the digests of each layer as a line of JSON, and its manifest.
    private const string Describe = """
        sum() { printf 'sha256:%s' "$(sha256sum | cut -d ' ' -f 1)"; }
        for layer in $layers; do
          digest=$(sed 's/.*"digest":"\([^"]*\)".*/\1/' $layer.layer)
          stream=$(layerbox image-package $layer.layer --format sendstream --output - | sum)
          [[ $stream == $(layerbox sendstream-make --canonical $layer.layer | sum) ]]
          tar=$(layerbox image-package $layer.layer --format tar --output - | sum)
          printf '= "%s": { "digest": "%s", "sendstream": "%s", "tar": "%s" }\n' $layer "$digest" "$stream" "$tar"
          layerbox layer-show $layer.layer --format mtree
        done
        """;

    [Theory]
    [InlineData("hello", "hello farewell")]
    [InlineData("service", "base service test")]
    public void Compile_to_the_same_bytes_in_any_surroundings(string example, string layers)
    {
        string here = Compile(example, layers, Here, Describe), elsewhere = Compile(example, layers, Elsewhere, Describe);
        Assert.Equal(layers.Split(' ').Length, here.Split("#mtree\n").Length - 1);
        Assert.Equal(here, elsewhere);
    }

    [Fact]
    public void Hello_has_the_digests_that_are_committed()
    {
        string output = Compile("hello", "hello farewell", Here, Describe);
        string[] lines = [.. output.Split('\n').Where(line => line.StartsWith("= ", StringComparison.Ordinal)).Select(line => $"  {line[2..]}")];
        Golden.CheckFile(Repository.PathOf("examples", "hello", "expected.json"), "{\n" + string.Join(",\n", lines) + "\n}\n");
    }

    [Fact]
    public void The_service_passes_its_self_test_in_a_container() => Assert.Equal(
        "ok: greets by name\nok: has a page\nok: is not root\nok: cannot change its settings\n",
        Compile("service", "base service test", Here, "layerbox container-run test.layer"));

    /// <summary>Compiles the layers of an example on a fresh volume and gives what the script then says.</summary>
    private static string Compile(string example, string layers, string surroundings, string then)
    {
        Executable.PublishedOrSkip();
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        File.WriteAllText(folder / "script", $$"""
            example={{Repository.PathOf("examples", example)}} layers='{{layers}}'
            {{surroundings}}
            layerbox() { env --unset SOURCE_DATE_EPOCH LAYERBOX_VOLUME={{volume.Path}} $settings "$L" "$@"; }
            cd copy
            rm --force -- *.layer
            if [[ -e python-feature ]]; then ./python-feature >python.feature.json; fi
            for layer in $layers; do layerbox layer-compile $layer.layer.json --output $layer.layer >handle; cmp handle $layer.layer; done
            {{then}}
            """);
        // A UTS namespace of its own: the host keeps its name.
        (int status, string output, string errors) = Executable.Shell("exec unshare --uts bash -euo pipefail script", folder.Path);
        Assert.True(status == 0 && errors == "", $"exit status {status}: {errors}");
        return output;
    }
}
