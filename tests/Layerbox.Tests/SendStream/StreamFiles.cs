using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.Tests.Rootfs;

namespace Layerbox.Tests.SendStream;

/// <summary>Streams as files in a folder, for the tests of tools; what is outside of the folder "out" must never change.</summary>
internal sealed class StreamFiles : IDisposable
{
    public const string Full = """
        mkdir d; mkfile d/a; write d/a 0 hello; chmod d/a 640; mkfile big; write big 100000 x*50000; symlink d/link a; mkfifo p; link d/a2 d/a
        set_xattr d/a user.k v; utimes d 5 6; utimes - 77 88
        """;

    public const string Changes = "write d/a 1 E; unlink d/link; mkfile new; rename big moved; truncate moved 200000; utimes - 99 0";

    private readonly TempFolder _folder = new();

    public StreamFiles()
    {
        Make("full", $"subvol vol; {Full}; end");
        Make("changes", $"snapshot vol2 22 11; {Changes}; end");
        Directory.CreateDirectory(this / "out");
        Directory.CreateDirectory(this / "outside/sub");
        File.WriteAllText(this / "outside/canary", "safe");
        File.WriteAllText(this / "outside/sub/canary", "safe");
    }

    /// <summary>Where a test may write.</summary>
    public string Out => this / "out/dir";

    /// <summary>All that no test may change, as lines.</summary>
    public List<string> Outside => TreeLines.Of(RootfsReader.Read(this / "outside"));

    public static string operator /(StreamFiles files, string name) => files._folder / name;

    public string Make(string name, string script)
    {
        File.WriteAllBytes(this / name, StreamScript.Make(script.ReplaceLineEndings(";"), 2));
        return this / name;
    }

    /// <summary>The state that a script leads to, with everything owned by the caller, who may not be root.</summary>
    public static Tree State(params string[] scripts)
    {
        byte[] streams = [.. scripts.SelectMany((script, i) => StreamScript.Make((i == 0 ? $"subvol vol; {script}; end" : $"snapshot vol2 22 11; {script}; end").ReplaceLineEndings(";"), 2))];
        return Layerbox.SendStream.SendStreamTree.ApplyAll(new MemoryStream(streams), null, new MemoryContentStore())[^1].Tree;
    }

    public void Dispose() => _folder.Dispose();
}
