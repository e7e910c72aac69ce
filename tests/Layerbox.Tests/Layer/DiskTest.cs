using System.Text;
using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Rootfs;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

/// <summary>What tests that compile on a real volume share: a store of their own, a folder for specifications, and the real tools.</summary>
public abstract class DiskTest(SharedVolume shared) : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Lazy<string> _volume = new(shared.Folder);

    internal string Folder => _folder.Path;
    internal string Volume => _volume.Value;

    /// <summary>The path of a file beside the specifications.</summary>
    internal string File(string name) => _folder / name;

    /// <summary>Runs a shell script in the folder of the specifications.</summary>
    internal string Shell(string script) => Programs.Shell($"cd '{Folder}'; {script}");

    /// <summary>Writes a specification (the JSON of the list of features, without brackets) and compiles it.</summary>
    internal Tools.Result TryCompile(string name, string features, string more = "", params string[] args)
    {
        System.IO.File.WriteAllText(File($"{name}.layer.json"), $$"""{"name":"{{name}}",{{more}}"features":[{{features}}]}""");
        return Tools.Run(["layer-compile", File($"{name}.layer.json"), "--output", File($"{name}.layer"), "--volume", Volume, .. args]);
    }

    internal Built Compile(string name, string features, string more = "", params string[] args) => BuiltOf(TryCompile(name, features, more, args).AssertSucceeded().Bytes);

    internal Built BuiltOf(byte[] handleLine)
    {
        LayerHandle handle = LayerHandle.Parse(handleLine, "handle");
        return new Built(handle, Path.Combine(Volume, handle.Subvolume));
    }

    /// <summary>The one line of what went wrong, without tool and folder.</summary>
    internal string Error(Tools.Result result)
    {
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.Equal(1, result.Err.Count(c => c == '\n'));
        return result.FirstErrorLine.Replace("layer-compile: ", "", StringComparison.Ordinal).Replace(Folder + "/", "", StringComparison.Ordinal);
    }

    internal Tools.Result Run(string tool, params string[] args) => Tools.Run([tool, .. args, "--volume", Volume]);

    internal string ShowTree(string name) => Run("layer-show", File($"{name}.layer")).AssertSucceeded().Out.TrimEnd('\n');

    /// <summary>What is under way, or was left behind.</summary>
    internal string[] Leftovers => Directory.Exists(Path.Combine(Volume, "tmp")) ? Directory.GetFileSystemEntries(Path.Combine(Volume, "tmp")) : [];

    public void Dispose()
    {
        _folder.Dispose();
        GC.SuppressFinalize(this);
    }

    internal sealed record Built(LayerHandle Handle, string Path)
    {
        /// <summary>The state on disk, by a walk that knows nothing of what was meant.</summary>
        public Tree Disk => RootfsReader.Read(Path);

        /// <summary>Asserts that the disk is what the handle says.</summary>
        public Built AssertDiskIsAsModelled()
        {
            Assert.Equal(Handle.Digest, $"sha256:{Convert.ToHexStringLower(TreeDigest.Compute(Disk))}");
            return this;
        }

        public static string operator /(Built built, string name) => System.IO.Path.Combine(built.Path, name);
    }

    internal static string? MadeBy(Tools.Result json, string path) => Encoding.UTF8.GetString(json.Bytes).Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => JsonDocument.Parse(line).RootElement).Where(e => e.TryGetProperty("path", out JsonElement p) && p.GetString() == path)
        .Select(e => e.TryGetProperty("made_by", out JsonElement by) ? by.GetString() : null).Single();
}
