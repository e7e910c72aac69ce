using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Cmd.Layers;

/// <summary>What the layer tools have in common: how a handle and a volume are named, and how they are opened.</summary>
internal static class LayerArguments
{
    public static Argument<string> Handle(string name = "HANDLE") => new(name) { Description = "A layer handle: the file that layer-compile --output wrote, or - for standard input." };

    public static Option<string?> Volume() => new("--volume")
    {
        Description = "The btrfs folder that layers live on; else $LAYERBOX_VOLUME, a .layerbox folder above, or the volume in the cache, made on first use.",
        HelpName = "DIR",
    };

    public static BuiltLayer Open(string path, string? volume, Streams io)
    {
        LayerHandle handle = HandleInput.Read(path, io);
        return BuiltLayer.Open(handle, Btrfs.Volume.Open(volume), path == "-" ? "standard input" : path);
    }

    /// <summary>SOURCE_DATE_EPOCH of the environment (reproducible-builds.org), in seconds; null when it is not set.</summary>
    public static Timestamp? SourceDateEpoch()
    {
        const string name = "SOURCE_DATE_EPOCH";
        string? text = Environment.GetEnvironmentVariable(name);
        if (string.IsNullOrEmpty(text))
            return null;
        return long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out long seconds)
            ? new Timestamp(seconds)
            : throw new UsageException($"${name}: '{text}' is no number of seconds");
    }

    /// <summary>The handle on standard output, and in a file that keeps the layer alive.</summary>
    public static void Hand(BuiltLayer layer, string? output, Volume volume, Streams io)
    {
        byte[] line = layer.Handle.ToBytes();
        if (output is not null)
            volume.Layers.WriteHandle(output, line);
        io.Out.Write(line);
    }

    public static CompileOptions Options(bool noCache, Progress progress, Streams io) => new()
    {
        NoCache = noCache,
        SourceDateEpoch = SourceDateEpoch(),
        ToolVersion = Versions.Own,
        Progress = (what, done, total) => progress.Report(what, done, total, what switch { "reading" => "bytes", "installing packages" => "packages", _ => "inodes" }),
        Cancellation = io.Cancellation,
    };
}
