using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.Cmd.Layers;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-make: writes the send stream of a subvolume or layer, by the kernel or, canonically, by ourselves.</summary>
internal static class SendstreamMake
{
    public static Tool Declare()
    {
        Argument<string> subvolume = new("SUBVOL|HANDLE") { Description = "A read-only subvolume, or the handle of a layer; with --canonical any folder." };
        Option<string> parent = new("--parent", "-p") { Description = "Write only the difference to this read-only subvolume, which the receiver has.", HelpName = "SUBVOL" };
        Option<string[]> cloneSources = new("--clone-source", "-c")
        {
            Description = "A read-only subvolume that the receiver has, to clone extents from. May be given several times.",
            HelpName = "SUBVOL",
        };
        Option<string> protocol = new("--proto") { Description = "Version of the stream, 1 or 2. Without it: 2 with --compressed, else 1.", HelpName = "1|2" };
        protocol.AcceptOnlyFromAmong("1", "2");
        Option<bool> compressed = new("--compressed") { Description = "Write compressed extents as they are on disk." };
        Option<bool> noData = new("--no-data") { Description = "Leave out the contents of files: the stream says where they changed." };
        Option<bool> canonical = new("--canonical")
        {
            Description = "Write the stream from the files themselves: same bytes for the same content on any machine, and nothing but reading is needed.",
        };
        Option<string?> volume = LayerArguments.Volume();
        Command command = new("sendstream-make", "Write the send stream of a read-only btrfs subvolume to standard output.")
        {
            subvolume, parent, cloneSources, protocol, compressed, noData, canonical, volume,
        };
        return new Tool(
            command,
            "sendstream-make /volume/web.1 > web.1.sendstream\nsendstream-make --parent /volume/web.1 /volume/web.2 | btrfs receive /backup\nsendstream-make --canonical web.layer | sha256sum",
            (args, io) => Run(
                args.GetRequiredValue(subvolume),
                args.GetValue(canonical),
                args.GetValue(volume),
                new SendOptions
                {
                    Parent = args.GetValue(parent),
                    CloneSources = args.GetValue(cloneSources) ?? [],
                    Protocol = args.GetValue(protocol) switch { "1" => 1, "2" => 2, _ => null },
                    Compressed = args.GetValue(compressed),
                    NoData = args.GetValue(noData),
                },
                io));
    }

    private static int Run(string subvolume, bool canonical, string? volume, SendOptions options, Streams io)
    {
        if (options is { Compressed: true, Protocol: 1 })
            throw new UsageException("--compressed needs --proto 2");
        using SentSource source = SentSource.Open(subvolume, volume, io);
        if (!canonical)
        {
            List<SentSource> others = [];
            try
            {
                string Path(string named)
                {
                    others.Add(SentSource.Open(named, volume, io));
                    return others[^1].Path;
                }

                KernelSend.Send(source.Path, io.BinaryOut, options with
                {
                    Parent = options.Parent is { } parent ? Path(parent) : null,
                    CloneSources = [.. options.CloneSources.Select(Path)],
                });
            }
            finally
            {
                others.ForEach(other => other.Dispose());
            }
            return ExitStatus.Success;
        }
        if (options.Parent is not null || options.CloneSources.Count > 0 || options.Compressed || options.NoData)
            throw new UsageException("--canonical writes full streams with data: --parent, --clone-source, --compressed and --no-data do not go with it");
        CanonicalSendStream.Write(io.BinaryOut, source.Tree, source.Name, options.Protocol == 2 ? 2u : 1u);
        return ExitStatus.Success;
    }

    /// <summary>What is sent: a folder by its path, or a layer by its handle, which is held meanwhile.</summary>
    private sealed class SentSource(string path, BuiltLayer? layer) : IDisposable
    {
        public static SentSource Open(string path, string? volume, Streams io)
        {
            // What is not there is left to who opens it, and words it.
            if (path != "-" && (!Files.Exists(path) || Files.Status(path, followLinks: true).IsDirectory))
                return new SentSource(path, null);
            BuiltLayer layer = LayerArguments.Open(path, volume, io);
            return new SentSource(layer.Path, layer);
        }

        public string Path => path;
        public string Name => layer?.Handle.Layer ?? System.IO.Path.GetFileName(RealPath.Of(path));
        public Tree Tree => layer?.Tree ?? RootfsReader.Read(path);
        public void Dispose() => layer?.Dispose();
    }
}
