using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-apply: a send-stream's files in a directory of any filesystem.</summary>
internal static class SendstreamApply
{
    private sealed record Request(string Directory, string[] Files, string? Subvolume, bool AsSubvolume, bool ParentUnchecked, bool NoOwner, bool DryRun, Reading Reading);

    public static Tool Declare()
    {
        Argument<string> directory = new("DIR") { Description = "Where: nothing or an empty directory; for an incremental stream also a directory in the state of its parent." };
        Argument<string[]> files = StreamChain.Files();
        Option<string> subvolume = StreamChain.Subvolume();
        Option<bool> asSubvolume = new("--as-subvolume") { Description = "Make DIR as a btrfs subvolume; nothing may be there yet." };
        Option<bool> parentUnchecked = new("--parent-unchecked")
        {
            Description = "Take DIR for the parent of the first incremental stream. Without it the parent's streams are to be given too, and DIR is compared with what they describe.",
        };
        Option<bool> noOwner = new("--no-owner") { Description = "Leave everything to the caller, who need not be root then unless there are devices." };
        Option<bool> dryRun = new("--dry-run", "-n") { Description = "Write nothing; print what would be added, changed and removed, a line a path." };
        Option<string> progress = Progress.Option();
        LimitOptions limits = new();
        Command command = new("sendstream-apply", "Write the files that a send-stream describes into a directory, never outside of it. Any filesystem will do. All of the stream is read and checked before anything is written.")
        {
            directory, files, subvolume, asSubvolume, parentUnchecked, noOwner, dryRun, progress,
        };
        limits.AddTo(command);
        return new Tool(
            command,
            "sendstream-apply /srv/web web.1.sendstream.zst\nsendstream-apply /srv/web web.1.sendstream.zst web.2.sendstream.zst\nssh backup cat web.2.sendstream | sendstream-apply --parent-unchecked /srv/web -",
            (args, io) => Run(
                new Request(
                    args.GetRequiredValue(directory),
                    args.GetValue(files) ?? [],
                    args.GetValue(subvolume),
                    args.GetValue(asSubvolume),
                    args.GetValue(parentUnchecked),
                    args.GetValue(noOwner),
                    args.GetValue(dryRun),
                    limits.Of(args)),
                args.GetValue(progress),
                io));
    }

    private static int Run(Request request, string? progressMode, Streams io)
    {
        using Progress progress = Progress.Start(io, progressMode);
        if (Files.Exists(request.Directory) && !Files.Status(request.Directory, followLinks: true).IsDirectory)
            throw new UsageException($"{request.Directory}: not a directory: the one to write comes first, then the streams");
        StreamTarget target = new(request.Directory);
        Guid? assumed = null;
        using StreamChain chain = new(io, request.Reading with
        {
            Progress = progress,
            ParentAdvice = request.ParentUnchecked
                ? $"{request.Directory} is not there to be taken for it: name its streams before this one"
                : $"name its streams before this one, or say --parent-unchecked if {request.Directory} is in its state",
            StateAdvice = request.ParentUnchecked ? $"is {request.Directory} in the state that the stream builds upon?" : null,
        })
        {
            Set = new SubvolumeSet(request.Reading.Limits) { Known = uuid => (assumed ??= uuid) == uuid && request.ParentUnchecked ? target.State : null },
        };
        chain.Receive(request.Files);
        ReceivedSubvolume subvolume = chain.Select(request.Subvolume);
        if (request.NoOwner)
            foreach (ReceivedSubvolume received in chain.Set.Subvolumes)
                GiveToCaller(received.Tree);
        CancellationToken cancellation = io.Cancellation;
        chain.Use(() =>
        {
            Tree? from = Start(request, target, chain, subvolume);
            if (request.DryRun)
                foreach (TreeChange change in Difference.Between(from ?? new Tree(), subvolume.Tree, progress))
                    io.WriteLine(TreeDifferenceText.Line(change));
            else if (from is null)
                target.Fill(subvolume.Tree, chain.Set, request.AsSubvolume, Report);
            else
                target.Change(from, subvolume.Tree, chain.Set, Report);
        });
        return ExitStatus.Success;

        void Report(RootfsProgress done)
        {
            progress.Report("writing", done.Bytes);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The state that the directory is in, null for nothing.</summary>
    /// <exception cref="InvalidDataException">It is in none that the streams lead from.</exception>
    private static Tree? Start(Request request, StreamTarget target, StreamChain chain, ReceivedSubvolume subvolume)
    {
        ReceivedSubvolume first = subvolume;
        while (chain.ParentOf(first) is { } parent)
            first = parent;
        if (first.ParentUuid is not null)
            return target.State; // taken for its parent
        if (target.IsEmpty)
            return null;
        if (subvolume.ParentUuid is null)
            throw new PosixException("apply", Errno.ENOTEMPTY, request.Directory, "not empty, and a full stream makes a new directory: name one that is empty or not there");
        for (ReceivedSubvolume? candidate = subvolume; candidate is not null; candidate = chain.ParentOf(candidate))
            if (Difference.Between(target.State!, candidate.Tree).Count == 0)
                return candidate.Tree;
        TreeChange difference = TreeDifference.Compare(chain.ParentOf(subvolume)!.Tree, target.State!)[0];
        throw new InvalidDataException($"{request.Directory}: is in none of the states that the streams lead through; from the parent it differs so: {TreeDifferenceText.Line(difference)}");
    }

    private static void GiveToCaller(Tree tree)
    {
        foreach ((TreePath _, Inode inode) in tree.Walk())
            (inode.Uid, inode.Gid) = (Directories.EffectiveUid, Directories.EffectiveGid);
    }
}
