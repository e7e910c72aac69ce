using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot push and fetch: snapshots in a storage outside of the store.</summary>
internal static class RpmRepoStorage
{
    public static RepoCommand DeclarePush()
    {
        Argument<string> snapshot = new("SNAPSHOT") { Description = "A tag, an id, or the first digits of one." };
        Option<string> storage = Option(isRequired: true), progress = Progress.Option();
        Command command = new("push", "Bring a snapshot into a storage: the objects that it lacks, and then the snapshot.") { snapshot, storage, progress };
        return new RepoCommand(command, (args, at, io) =>
        {
            ObjectStorage to = Parse(args.GetRequiredValue(storage));
            CancellationToken cancellation = io.Cancellation;
            using SnapshotStore store = SnapshotStore.Open(at.Path);
            string id = store.Resolve(args.GetRequiredValue(snapshot));
            using SnapshotHold kept = store.Serve(id); // from gc
            Snapshot pushed = store.Load(id);
            StorageTransfer transfer;
            using (Progress shown = Progress.Start(io, args.GetValue(progress)))
                transfer = StorageTransfer.Push(store, pushed, to, shown.Counter("pushing"), cancellation);
            Tell(pushed.Id, null, transfer, io);
            return ExitStatus.Success;
        });
    }

    public static RepoCommand DeclareFetch()
    {
        Argument<string> id = new("ID") { Description = "The whole id of a snapshot." };
        Option<string> storage = Option(isRequired: true), progress = Progress.Option();
        Option<string?> tag = new("--tag") { Description = "Also give the snapshot this name, which another may have had.", HelpName = "TAG" };
        Option<bool> onDemand = new("--on-demand") { Description = "Leave the packages in the storage: each is brought when it is first wanted, by rpm-repo-serve, export or an install (docs/rpm.md)." };
        Command command = new("fetch", "Bring a snapshot from a storage into the store, which is made if need be. What the store has is not fetched; all else is compared with its digest.")
        {
            id, storage, onDemand, tag, progress,
        };
        return new RepoCommand(command, (args, at, io) =>
        {
            ObjectStorage from = Parse(args.GetRequiredValue(storage));
            string wanted = args.GetRequiredValue(id);
            if (wanted.Length != 64 || !wanted.All(char.IsAsciiHexDigitLower))
                throw new UsageException($"'{wanted}' is no whole id: 64 hexadecimal digits");
            if (args.GetValue(tag) is { } name)
                SnapshotStore.CheckTag(name);
            CancellationToken cancellation = io.Cancellation;
            using SnapshotStore store = SnapshotStore.OpenForWriting(at.Path, at.Wait, create: true);
            using Progress shown = Progress.Start(io, args.GetValue(progress));
            (Snapshot snapshot, bool isNew, StorageTransfer transfer) = StorageTransfer.Fetch(store, wanted, from, args.GetValue(onDemand) ? ObjectStorage.Absolute(args.GetRequiredValue(storage)) : null, shown.Counter("fetching"), cancellation);
            if (args.GetValue(tag) is { } given)
                store.Tag(given, snapshot.Id);
            Tell(snapshot.Id, isNew, transfer, io);
            return ExitStatus.Success;
        });
    }

    /// <summary>The option that names a storage.</summary>
    public static Option<string> Option(bool isRequired) => new("--storage")
    {
        Description = isRequired ? "A directory; s3://BUCKET/PREFIX, by the program layerbox-storage-s3; or command:PROGRAM, any that is run with put, get, has, list or delete and a name (docs/rpm.md)."
            : "Bring the snapshot into this storage before it is one here: a directory, s3://BUCKET/PREFIX or command:PROGRAM (docs/rpm.md).",
        HelpName = "STORAGE",
        Required = isRequired,
    };

    /// <exception cref="UsageException">It is no storage.</exception>
    public static ObjectStorage Parse(string text)
    {
        try
        {
            return ObjectStorage.Parse(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--storage: {e.Message}");
        }
    }

    private static void Tell(string id, bool? isNew, StorageTransfer transfer, Streams io)
    {
        using JsonLineWriter lines = new(io.Out);
        lines.StartLine();
        lines.Json.WriteString("snapshot", id);
        if (isNew is { } known)
            lines.Json.WriteBoolean("new", known);
        lines.Json.WriteNumber("moved", transfer.Moved);
        lines.Json.WriteNumber("bytes", transfer.Bytes);
        lines.Json.WriteNumber("present", transfer.Present);
        if (transfer.OnDemand is { } left)
            lines.Json.WriteNumber("on_demand", left);
        lines.EndLine();
        lines.Flush();
    }
}
