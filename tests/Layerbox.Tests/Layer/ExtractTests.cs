using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

/// <summary>On this machine's real programs; the oracle is the machine's own loader.</summary>
public sealed class ExtractTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("/bin/sh")]
    [InlineData("/usr/bin/bash")]
    [InlineData("/usr/bin/tar")]
    [InlineData("/usr/bin/git")]
    [InlineData("/usr/bin/env")]
    public void Brings_what_ldd_lists(string program)
    {
        Assert.SkipUnless(File.Exists(program), $"needs {program}");
        Tree tree = Draft.Compile(Extract(program));
        HashSet<string> expected = [Real(program)];
        foreach (string line in Programs.Run("ldd", program).Split('\n'))
            if (line.Split(' ', '\t').FirstOrDefault(word => word.StartsWith('/')) is { } path)
                expected.Add(Real(path));
        Assert.Equal(expected.Order(StringComparer.Ordinal), tree.Walk().Where(e => e.Value.Kind == FileKind.File).Select(e => e.Key.ToString()).Order(StringComparer.Ordinal));
        Assert.True(tree.Find(tree.Resolve(TreePath.Parse(program), followLast: true))!.Kind == FileKind.File, "the program is found by its own name");
    }

    [Fact]
    public void Two_programs_share_their_libraries_and_a_child_may_bring_them_again()
    {
        Tree one = Draft.Compile($"{Extract("/usr/bin/env")}, {Extract("/usr/bin/tar", "/usr/bin/env")}");
        Assert.Equal(one.Render(), Draft.Compile(Extract("/usr/bin/env"), one).Render());
    }

    [Fact]
    public void What_it_brought_runs_in_a_root_of_its_own()
    {
        Privileged.OrSkip();
        File.WriteAllText(_folder / "script", "#!/bin/sh\necho \"$0 works\"\n");
        Tree tree = Draft.Compile(Extract("/bin/sh"));
        foreach ((TreePath path, Inode inode) in tree.Walk().Skip(1))
        {
            string at = _folder / $"root{path}";
            Directory.CreateDirectory(Path.GetDirectoryName(at)!);
            if (inode.IsDirectory)
                Directory.CreateDirectory(at);
            else if (inode.Kind == FileKind.Symlink)
                File.CreateSymbolicLink(at, System.Text.Encoding.UTF8.GetString(inode.Target));
            else
                Programs.Run("cp", path.ToString(), at); // not by us: what is open here for writing cannot be executed for a moment
        }
        File.Copy(_folder / "script", _folder / "root/script");
        Assert.Equal("it works\n", Programs.Run("chroot", _folder / "root", "/bin/sh", "-c", "echo it works"));
    }

    [Fact]
    public void Scripts_bring_their_interpreters()
    {
        Programs.Shell($"mkdir '{_folder.Path}/r'; cd '{_folder.Path}/r'; mkdir a; printf '#! /a/two -x\\n' > one; printf '#!/a/three' > a/two; printf x > a/three");
        Assert.Equal("/ /a /a/three /a/two /one", string.Join(' ', Draft.Compile("""{"item":"extract","root":"r","programs":["/one"]}""", folder: _folder.Path).Walk().Select(e => e.Key)));
    }

    [Theory]
    [InlineData("printf '#!/no' > p", "/no, the interpreter of /p, does not exist")]
    [InlineData("true", "/p does not exist")]
    [InlineData("mkdir p", "/p is no regular file")]
    [InlineData("ln -s q p; ln -s p q", "/p: too many levels of symbolic links")]
    [InlineData("head -c 40 /bin/sh > p", "/p: an ELF file that is cut off, or of a byte order that is not known here")]
    [InlineData("head -c 200 /bin/sh > p", "/p: an ELF file that is cut off")]
    [InlineData("cp -L /bin/sh p", "/lib64/ld-linux-x86-64.so.2, the loader of /p, does not exist")]
    public void Says_what_is_missing(string script, string error)
    {
        Programs.Shell($"mkdir '{_folder / "r"}'; cd '{_folder / "r"}'; {script}");
        Assert.Equal($"features[0]: extract /p: {error}", Assert.ThrowsAny<LayerException>(() => Draft.Compile("""{"item":"extract","root":"r","programs":["/p"]}""", folder: _folder.Path)).Message
            .Replace(_folder / "t.layer.json: ", "", StringComparison.Ordinal));
    }

    [Fact]
    public void A_damaged_program_is_refused_or_taken_but_breaks_nothing()
    {
        byte[] sound = File.ReadAllBytes("/bin/sh");
        Random random = new(1);
        Directory.CreateDirectory(_folder / "r");
        for (int round = 0; round < 300; round++)
        {
            byte[] bytes = [.. sound];
            // The header and the table of segments are where most lies can be told; the rest holds strings and their offsets.
            for (int i = random.Next(1, 8); i > 0; i--)
                bytes[random.Next(round % 2 == 0 ? 1024 : bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(_folder / "r/p", bytes);
            Exception? error = Record.Exception(() => Draft.Compile("""{"item":"extract","root":"r","programs":["/p"]}""", folder: _folder.Path));
            Assert.True(error is null or LayerException, $"round {round}: {error}");
        }
    }

    [Fact]
    public void A_layer_can_be_the_source()
    {
        Tree source = Draft.Compile(Extract("/usr/bin/env", "/usr/bin/tar"));
        Draft.WriteHandle(_folder / "tools.layer", source);
        Assert.Equal(Draft.Compile(Extract("/usr/bin/tar")).Render(), Draft.Compile("""{"item":"extract","layer":"tools.layer","programs":["/usr/bin/tar"]}""", folder: _folder.Path).Render());
    }

    [Fact]
    public void Another_file_in_the_way_is_a_conflict()
    {
        Tree parent = Draft.Compile("""{"item":"ensure_dirs","path":"/usr/bin"}, {"item":"text","dest":"/usr/bin/env","text":"mine"}""");
        Assert.Equal("features[0]: extract /usr/bin/env: /usr/bin/env exists already in the parent layer (file)", Draft.Error<ConflictException>(Extract("/usr/bin/env"), parent));
    }

    private static string Extract(params string[] programs) => $$"""{"item":"extract","root":"/","programs":[{{string.Join(',', programs.Select(p => $"\"{p}\""))}}]}""";

    private static string Real(string path) => Programs.Run("realpath", path).TrimEnd('\n');
}
