using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.Cmd.Layers;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-make: writes the send stream of a subvolume or layer, by the kernel or, canonically, by ourselves.</summary>
internal static class SendstreamMake
{
    public static Tool Declare()
    {
        Argument<string> subvolume = new("SUBVOL|HANDLE") { Description = "A read-only subvolume, or the handle of a layer; with --canonical any folder, or a file of send-streams." };
        Option<string> parent = new("--parent", "-p")
        {
            Description = "Write only the difference to this read-only subvolume, which the receiver has; with --canonical to any of what can be sent.",
            HelpName = "SUBVOL",
        };
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
        Option<bool> reflinks = new("--reflinks")
        {
            Description = "With --canonical: send data that files share on disk once, as clones. The bytes of the stream then follow from the sharing, too.",
        };
        Option<Guid?> parentUuid = new("--parent-uuid")
        {
            Description = "With --canonical: the uuid by which the receiver knows the parent. Without it: that of the parent's canonical stream.",
            HelpName = "UUID",
        };
        Option<ulong?> parentTransid = new("--parent-transid") { Description = "The transaction that goes with --parent-uuid; receivers do not look at it.", HelpName = "N" };
        Option<string?> volume = LayerArguments.Volume();
        Option<string> progress = Progress.Option();
        Command command = new("sendstream-make", "Write the send stream of a read-only btrfs subvolume to standard output.")
        {
            subvolume, parent, cloneSources, protocol, compressed, noData, canonical, reflinks, parentUuid, parentTransid, volume, progress,
        };
        return new Tool(
            command,
            """
            sendstream-make /volume/web.1 > web.1.sendstream
            sendstream-make --parent /volume/web.1 /volume/web.2 | btrfs receive /backup
            sendstream-make --canonical web.layer | sha256sum
            sendstream-make --canonical old > old.sendstream
            sendstream-make --canonical --parent old.sendstream new | zstd > old-to-new.sendstream.zst
            """,
            (args, io) =>
            {
                SendOptions options = new()
                {
                    Parent = args.GetValue(parent),
                    CloneSources = args.GetValue(cloneSources) ?? [],
                    Protocol = args.GetValue(protocol) switch { "1" => 1, "2" => 2, _ => null },
                    Compressed = args.GetValue(compressed),
                    NoData = args.GetValue(noData),
                };
                bool namesParent = args.GetValue(parentUuid) is not null || args.GetValue(parentTransid) is not null;
                if (namesParent && options.Parent is null)
                    throw new UsageException("--parent-uuid and --parent-transid go with --parent");
                if (args.GetValue(canonical))
                {
                    CanonicalSendOptions canonicalOptions = new()
                    {
                        Version = options.Protocol == 2 ? 2u : 1u,
                        ParentUuid = args.GetValue(parentUuid),
                        ParentTransid = args.GetValue(parentTransid) ?? CanonicalSendStream.Transid,
                    };
                    if (options.CloneSources.Count > 0 || options.Compressed || options.NoData)
                        throw new UsageException("--canonical writes data from the files: --clone-source, --compressed and --no-data do not go with it");
                    using Progress reporting = Progress.Start(io, args.GetValue(progress));
                    return MakeCanonical(args.GetRequiredValue(subvolume), options.Parent, args.GetValue(reflinks), args.GetValue(volume), canonicalOptions, reporting, io);
                }
                if (namesParent || args.GetValue(reflinks))
                    throw new UsageException("--reflinks, --parent-uuid and --parent-transid go with --canonical");
                if (options is { Compressed: true, Protocol: 1 })
                    throw new UsageException("--compressed needs --proto 2");
                return Make(args.GetRequiredValue(subvolume), args.GetValue(volume), options, io);
            });
    }

    private static int Make(string subvolume, string? volume, SendOptions options, Streams io)
    {
        using SentSource source = SentSource.Open(subvolume, volume, io);
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
        catch (PosixException e) when (e.Errno == Errno.ENOTTY)
        {
            throw new InvalidDataException($"{e.Message}: --canonical takes any folder", e);
        }
        finally
        {
            others.ForEach(other => other.Dispose());
        }
        return ExitStatus.Success;
    }

    private static int MakeCanonical(
        string name, string? parentName, bool reflinks, string? volume, CanonicalSendOptions options, Progress progress, Streams io)
    {
        using SentSource? parent = parentName is null ? null : SentSource.OpenTree(parentName, parent: null, volume, progress, io);
        using SentSource source = SentSource.OpenTree(name, parent, volume, progress, io);
        // The streams' uuids are digests of all that is in the trees: on all processors, before anything is written.
        void Count(long files, long bytes) => progress.Report("reading", files, unit: "files");
        if (parent?.SharesStorageWith(source) == true)
            ContentDigests.ComputeAll(parent.Tree, source.Tree, Count);
        else
            ContentDigests.ComputeAll(new[] { source.Tree, parent?.Tree }.OfType<Tree>().SelectMany(tree => tree.Walk()).Select(e => e.Value.Content).OfType<FileContent>(), Count);
        CanonicalSendStream.Write(io.BinaryOut, source.Tree, source.Name, options with
        {
            Parent = parent?.Tree,
            Storage = reflinks ? source.StorageOf : null,
            ParentStorage = reflinks && parent?.SharesStorageWith(source) == true ? source.StorageOf : null,
        });
        return ExitStatus.Success;
    }
}
