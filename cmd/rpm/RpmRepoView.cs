using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot view: a snapshot with the versions that a policy wants.</summary>
internal static class RpmRepoView
{
    private const int MaxPolicy = 16 << 20;

    private sealed record Options(Argument<string> Snapshot, Option<string> Policy, Option<string?> Tag, Option<bool> Explain, Option<bool> DryRun);

    public static RepoCommand Declare()
    {
        Options options = new(
            new("SNAPSHOT") { Description = "A tag, an id, or the first digits of one." },
            new("--policy") { Description = "The policy, as JSON: as_of, deny, allow, pin, groups, newest.", HelpName = "FILE", Required = true },
            new("--tag") { Description = "Also give the view this name, which another snapshot may have had.", HelpName = "TAG" },
            new("--explain") { Description = "Print a line for each package that is left out, with the rule that did it." },
            new("--dry-run", "-n") { Description = "Make no view." });
        Command command = new(
            "view",
            "Make a snapshot of those packages of another that a version policy wants. Its metadata is the other's without the rest. When the policy asks for what is "
            + "not there (a pinned version, a group without a common version), each such thing is told, the exit status is 1, and there is no view.")
        { options.Snapshot, options.Policy, options.Tag, options.Explain, options.DryRun };
        return new RepoCommand(command, (args, at, io) => Run(args, options, at, io));
    }

    private static int Run(ParseResult args, Options options, StoreArgument at, Streams io)
    {
        string? tag = args.GetValue(options.Tag);
        if (tag is not null)
            SnapshotStore.CheckTag(tag);
        string path = args.GetRequiredValue(options.Policy);
        bool isDryRun = args.GetValue(options.DryRun);
        CancellationToken cancellation = io.Cancellation;
        byte[] policy = WholeFile.Read(path, MaxPolicy);
        try
        {
            VersionPolicy.Parse(policy);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
        using SnapshotStore store = isDryRun ? SnapshotStore.Open(at.Path) : SnapshotStore.OpenForWriting(at.Path, at.Wait);
        string origin = store.Resolve(args.GetRequiredValue(options.Snapshot));
        SnapshotView view = SnapshotView.Of(store, origin, policy, !isDryRun, cancellation);
        foreach (string refusal in view.Refusals)
            io.Err.WriteLine(PathText.Printable($"rpm-repo-snapshot: {path}: {refusal}"));
        using JsonLineWriter lines = new(io.Out);
        if (args.GetValue(options.Explain))
            Explain(view, lines);
        if (view.Refusals.Count == 0)
        {
            bool isNew = view.Snapshot is { } snapshot && store.Add(snapshot);
            if (tag is not null && view.Snapshot is { } tagged)
                store.Tag(tag, tagged.Id);
            Tell(view, origin, isNew, tag, lines);
        }
        lines.Flush();
        return view.Refusals.Count == 0 ? ExitStatus.Success : ExitStatus.No;
    }

    private static void Explain(SnapshotView view, JsonLineWriter lines)
    {
        foreach (LeftOutPackage package in view.LeftOut)
        {
            lines.StartLine();
            lines.Json.WriteString("left_out", package.Package.Nevra.ToString());
            lines.Json.WriteString("repo", package.Repo);
            lines.Json.WriteString("location", package.Package.Location.Href);
            lines.Json.WriteString("reason", package.Reason);
            lines.EndLine();
        }
    }

    private static void Tell(SnapshotView view, string origin, bool isNew, string? tag, JsonLineWriter lines)
    {
        lines.StartLine();
        RpmRepoSnapshot.WriteText(lines.Json, "snapshot", view.Snapshot?.Id);
        if (view.Snapshot is not null)
            lines.Json.WriteBoolean("new", isNew);
        RpmRepoSnapshot.WriteText(lines.Json, "tag", view.Snapshot is null ? null : tag);
        lines.Json.WriteString("view_of", origin);
        lines.Json.WriteNumber("packages", view.Packages);
        lines.Json.WriteNumber("left_out", view.LeftOut.Count);
        lines.EndLine();
    }
}
