using System.CommandLine;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot pin and unpin: snapshots that no rule of gc removes.</summary>
internal static class RpmRepoPin
{
    public static RepoCommand DeclarePin()
    {
        Argument<string> snapshot = Snapshot();
        Option<string> reason = new("--reason") { Description = "Why, in one line: list and gc show it.", HelpName = "TEXT", DefaultValueFactory = _ => "" };
        Command command = new("pin", "Keep a snapshot until it is unpinned, whatever becomes of its tags.") { snapshot, reason };
        return new RepoCommand(command, (args, at, _) =>
        {
            using SnapshotStore store = SnapshotStore.OpenForWriting(at.Path, at.Wait);
            store.Pin(store.Resolve(args.GetRequiredValue(snapshot)), args.GetRequiredValue(reason));
            return ExitStatus.Success;
        });
    }

    public static RepoCommand DeclareUnpin()
    {
        Argument<string> snapshot = Snapshot();
        return new RepoCommand(new Command("unpin", "Take a pin away. The snapshot stays until gc removes it.") { snapshot }, (args, at, _) =>
        {
            using SnapshotStore store = SnapshotStore.OpenForWriting(at.Path, at.Wait);
            store.Unpin(store.Resolve(args.GetRequiredValue(snapshot)));
            return ExitStatus.Success;
        });
    }

    private static Argument<string> Snapshot() => new("SNAPSHOT") { Description = "A tag, an id, or the first digits of one." };
}
