using System.CommandLine;
using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot: what repositories were at one time, kept.</summary>
internal static class RpmRepoSnapshot
{
    private const string Name = "rpm-repo-snapshot";

    private static readonly JsonEncodedText s_modified = JsonEncodedText.Encode("time");

    /// <summary>The commands that have a file of their own.</summary>
    private static readonly Func<RepoCommand>[] s_more =
    [
        RpmRepoSync.Declare,
        RpmRepoExport.Declare,
        RpmRepoImport.Declare,
        RpmRepoView.Declare,
        RpmRepoFind.Declare,
        RpmRepoStorage.DeclarePush,
        RpmRepoStorage.DeclareFetch,
        RpmRepoGc.Declare,
        RpmRepoPin.DeclarePin,
        RpmRepoPin.DeclareUnpin,
    ];

    private static readonly Dictionary<string, string> s_examples = new()
    {
        ["list"] = "rpm-repo-snapshot list --store /srv/rpm | jq -r '[.time, (.tags | join(\",\"))] | @tsv'",
        ["show"] = "rpm-repo-snapshot show --store /srv/rpm today | jq -r 'select(.record == \"package\") | .nevra'",
        ["diff"] = "rpm-repo-snapshot diff --store /srv/rpm yesterday today | jq -r 'select(.change == \"upgraded\") | .name + \" \" + .to'",
        ["verify"] = "rpm-repo-snapshot verify --store /srv/rpm --progress none",
        ["tag"] = "rpm-repo-snapshot tag --store /srv/rpm today stable",
        ["untag"] = "rpm-repo-snapshot untag --store /srv/rpm yesterday",
        ["rebuild"] = "rpm-repo-snapshot rebuild --store /srv/rpm",
        ["sync"] = "rpm-repo-snapshot sync --store /srv/rpm --repo base=http://example.org/base --repo updates=http://example.org/updates --tag today\n"
            + "rpm-repo-snapshot sync --store /srv/rpm --config /etc/repos.json --tag \"$(date +%F)\" --quiet --lock-wait",
        ["export"] = "rpm-repo-snapshot export --store /srv/rpm today --into /srv/www/today\nrpm-repo-snapshot export --store /srv/rpm today --repo base --into /srv/www/base",
        ["import"] = "rpm-repo-snapshot import --store /srv/rpm /srv/mirror/base --repo base --tag first\nrpm-repo-snapshot import --store /srv/rpm /mnt/other/store today --tag today",
        ["view"] = "rpm-repo-snapshot view today --store /srv/rpm --policy policy.json --tag stable --explain",
        ["find"] = "rpm-repo-snapshot find --store /srv/rpm 'openssl*' | jq -r '.nevra + \" \" + (.tags | join(\",\"))'",
        ["push"] = "rpm-repo-snapshot push today --store /srv/rpm --storage /mnt/backup/rpm",
        ["fetch"] = "rpm-repo-snapshot fetch \"$ID\" --store /srv/other --storage /mnt/backup/rpm --tag today",
        ["gc"] = "rpm-repo-snapshot gc --store /srv/rpm --dry-run\nrpm-repo-snapshot gc --store /srv/rpm --keep-tag 'release-*' --keep-last 7 --keep-within 90d",
        ["pin"] = "rpm-repo-snapshot pin --store /srv/rpm today --reason 'as released'",
        ["unpin"] = "rpm-repo-snapshot unpin --store /srv/rpm today",
    };

    private sealed record Options(
        Option<string> Store, Option<bool> LockWait, Option<string> Progress, Argument<string> Snapshot, Argument<string> Other, Argument<string> TagName);

    public static Tool Declare()
    {
        Options options = new(
            new("--store") { Description = "The directory that holds the snapshots.", HelpName = "DIR", Required = true, Recursive = true },
            new("--lock-wait") { Description = "Wait when another process writes to the store, instead of failing.", Recursive = true },
            Cmd.Progress.Option(),
            new("SNAPSHOT") { Description = "A tag, an id, or the first digits of one." },
            new("OTHER") { Description = "The later one." },
            new("TAG") { Description = "The name." });
        Command command = new(
            Name,
            "Keep what RPM repositories are now, and what they were. A store holds each file once; a snapshot is complete, every byte in it was compared with the "
            + "repository's checksums, and it never changes. Output is JSON lines.")
        {
            new Command("list", "List the snapshots, the oldest first."),
            new Command("show", "Show a snapshot: a line for each repository, each file of its metadata and each package.") { options.Snapshot },
            new Command("diff", "Show what changed from one snapshot to another. Exit status 1 when anything did.") { options.Snapshot, options.Other },
            new Command("verify", "Compare every object with its digest, and look for everything that snapshots and tags name. Exit status 1 when something is wrong.") { options.Progress },
            new Command("tag", "Give a snapshot a name, which another may have had.") { options.Snapshot, options.TagName },
            new Command("untag", "Remove a name. The snapshot stays.") { options.TagName },
            new Command("rebuild", "Compute anew what the store knows besides its objects and snapshots: the objects' other digests, and the index of packages.") { options.Progress },
        };
        List<RepoCommand> more = [];
        foreach (Func<RepoCommand> declare in s_more)
        {
            more.Add(declare());
            command.Add(more[^1].Command);
        }
        command.Add(options.Store);
        command.Add(options.LockWait);
        return new Tool(
            command,
            "rpm-repo-snapshot sync --store /srv/rpm --repo base=http://example.org/base --repo updates=http://example.org/updates --tag today\n"
            + "rpm-repo-snapshot diff --store /srv/rpm yesterday today | jq -r 'select(.change == \"upgraded\") | .name + \" \" + .to'",
            (args, io) => Run(args, options, more, io))
        {
            Examples = s_examples,
        };
    }

    private static int Run(ParseResult args, Options options, List<RepoCommand> more, Streams io)
    {
        string path = args.GetRequiredValue(options.Store);
        bool wait = args.GetValue(options.LockWait);
        if (more.Find(one => one.Command == args.CommandResult.Command) is { } own)
            return own.Run(args, new StoreArgument(path, wait), io);
        string command = args.CommandResult.Command.Name;
        using SnapshotStore store = command is "tag" or "untag" or "rebuild" ? SnapshotStore.OpenForWriting(path, wait) : SnapshotStore.Open(path);
        using JsonLineWriter lines = new(io.Out);
        int status = ExitStatus.Success;
        switch (command)
        {
            case "list":
                status = List(store, lines, io);
                break;
            case "show":
                Show(store, store.Resolve(args.GetRequiredValue(options.Snapshot)), lines);
                break;
            case "diff":
                status = Diff(store, args.GetRequiredValue(options.Snapshot), args.GetRequiredValue(options.Other), lines, io);
                break;
            case "verify":
                status = Verify(store, args.GetValue(options.Progress), lines, io);
                break;
            case "tag":
                store.Tag(args.GetRequiredValue(options.TagName), store.Resolve(args.GetRequiredValue(options.Snapshot)));
                break;
            case "untag":
                store.Untag(args.GetRequiredValue(options.TagName));
                break;
            default:
                using (Progress progress = Cmd.Progress.Start(io, args.GetValue(options.Progress)))
                    store.Rebuild(done => progress.Report("rebuilding", done, unit: "objects"));
                break;
        }
        lines.Flush();
        return status;
    }

    private static int List(SnapshotStore store, JsonLineWriter lines, Streams io)
    {
        int status = ExitStatus.Success;
        Groups<string, string> tags = store.Tags().ToGroups(tag => tag.Id, tag => tag.Name);
        Dictionary<string, string> pins = store.Pins().ToDictionary(pin => pin.Id, pin => pin.Reason);
        Dictionary<(bool, string), bool> rewritten = [];
        foreach (string id in store.SnapshotIds())
        {
            (Snapshot Snapshot, (long Seconds, uint Nanoseconds) Time)? found;
            try
            {
                found = store.TryLoad(id);
            }
            catch (InvalidDataException e)
            {
                // The others are as good as ever.
                io.Err.WriteLine(PathText.Printable($"{Name}: {e.Message}"));
                status = ExitStatus.Trouble;
                continue;
            }
            // Lists are made while others collect.
            if (found is not ({ } snapshot, var time))
                continue;
            List<string> changed = [.. snapshot.Repos.Where(repo => IsRewritten(store, snapshot, repo, rewritten)).Select(repo => repo.Name)];
            lines.StartLine();
            lines.Json.WriteString("snapshot", id);
            lines.Json.WriteString(s_modified, DateTimeOffset.FromUnixTimeSeconds(time.Seconds).UtcDateTime);
            WriteNames(lines.Json, "tags", tags[id]);
            WriteText(lines.Json, "view_of", snapshot.ViewOf);
            WriteText(lines.Json, "policy", snapshot.Policy);
            WriteText(lines.Json, "pinned", pins.GetValueOrDefault(id));
            WriteNames(lines.Json, "repos", snapshot.Repos.Select(repo => repo.Name));
            if (changed.Count > 0)
                WriteNames(lines.Json, "rewritten", changed);
            lines.Json.WriteNumber("packages", snapshot.Repos.Sum(repo => repo.Packages));
            lines.Json.WriteNumber("package_bytes", snapshot.Repos.Sum(repo => repo.PackageBytes));
            if (snapshot.Repos.Sum(repo => repo.Missing.Count) is var missing and > 0)
                lines.Json.WriteNumber("missing", missing);
            lines.EndLine();
        }
        return status;
    }

    /// <param name="known">By whether the snapshot is a view, and the repomd.xml: most snapshots share theirs.</param>
    private static bool IsRewritten(SnapshotStore store, Snapshot snapshot, SnapshotRepo repo, Dictionary<(bool, string), bool> known)
    {
        (bool, string) key = (snapshot.ViewOf is not null, repo.Repomd);
        if (known.TryGetValue(key, out bool isRewritten))
            return isRewritten;
        try
        {
            return known[key] = RepoFiles.RewrittenFor(store, snapshot, repo).Count > 0;
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            return known[key] = false; // a list is of what there is; verify tells what is damaged
        }
    }

    private static void Show(SnapshotStore store, string id, JsonLineWriter lines)
    {
        RpmJson json = new(lines);
        Snapshot snapshot = store.Load(id);
        foreach (SnapshotRepo repo in snapshot.Repos)
        {
            List<Layerbox.Rpm.PrimaryPackage> packages = SnapshotPackages.Read(store, repo);
            lines.StartLine();
            lines.Json.WriteString("record", "repo");
            lines.Json.WriteString("snapshot", id);
            lines.Json.WriteString("name", repo.Name);
            WriteText(lines.Json, "universe", repo.Universe);
            if (repo.Revision is { } revision)
                lines.Json.WriteString("revision", revision);
            lines.Json.WriteString("repomd", $"sha256:{repo.Repomd}");
            lines.Json.WriteNumber("packages", repo.Packages);
            lines.Json.WriteNumber("package_bytes", repo.PackageBytes);
            WriteText(lines.Json, "signature", repo.RepomdSignature is { } signature ? $"sha256:{signature}" : null);
            if (packages.Count(package => package.Location.Place != Layerbox.Rpm.RepoPlace.Inside) is var outside and > 0)
                lines.Json.WriteNumber("outside", outside);
            if (RepoFiles.RewrittenFor(store, snapshot, repo) is { Count: > 0 } rewritten)
                WriteNames(lines.Json, "rewritten", rewritten);
            lines.EndLine();
            foreach (SnapshotHole hole in repo.Missing)
            {
                lines.StartLine();
                lines.Json.WriteString("record", "missing");
                lines.Json.WriteString("nevra", hole.Nevra);
                lines.Json.WriteString("location", hole.Location);
                lines.Json.WriteString("checksum", hole.Checksum);
                lines.Json.WriteString("reason", hole.Reason);
                lines.EndLine();
            }
            foreach (SnapshotFile file in repo.Files)
            {
                lines.StartLine();
                lines.Json.WriteString("record", "data");
                lines.Json.WriteString("type", file.Type);
                lines.Json.WriteString("location", file.Location);
                lines.Json.WriteString("object", file.Object);
                lines.Json.WriteNumber("size", file.Size);
                lines.EndLine();
            }
            foreach (Layerbox.Rpm.PrimaryPackage package in packages)
                json.WritePackage(package, withRelations: false);
        }
    }

    private static int Diff(SnapshotStore store, string from, string to, JsonLineWriter lines, Streams io)
    {
        int status = ExitStatus.Success;
        bool isTroubled = false;
        foreach (SnapshotChange change in SnapshotDiff.Compare(store, store.Load(store.Resolve(from)), store.Load(store.Resolve(to)), Complain))
        {
            status = ExitStatus.No;
            lines.StartLine();
            lines.Json.WriteString("change", change.Kind);
            lines.Json.WriteString("repo", change.Repo);
            WriteText(lines.Json, "name", change.Name);
            WriteText(lines.Json, "arch", change.Arch);
            WriteText(lines.Json, "from", change.From);
            WriteText(lines.Json, "to", change.To);
            WriteText(lines.Json, "type", change.Advisory?.Type);
            WriteText(lines.Json, "severity", change.Advisory?.Severity);
            WriteText(lines.Json, "title", change.Advisory?.Title);
            lines.EndLine();
        }
        return isTroubled ? ExitStatus.Trouble : status;

        void Complain(string reason)
        {
            io.Err.WriteLine(PathText.Printable($"{Name}: {reason}"));
            isTroubled = true;
        }
    }

    private static int Verify(SnapshotStore store, string? progressMode, JsonLineWriter lines, Streams io)
    {
        CancellationToken cancellation = io.Cancellation;
        using Progress progress = Cmd.Progress.Start(io, progressMode);
        StoreVerification verification = StoreVerification.Of(store, progress.Counter("verifying"), cancellation);
        foreach (StoreFinding finding in verification.Findings)
        {
            lines.StartLine();
            lines.Json.WriteString("code", finding.Code);
            lines.Json.WriteString("name", PathText.Printable(finding.Name));
            lines.Json.WriteString("message", PathText.Printable(finding.Message));
            lines.EndLine();
        }
        lines.StartLine();
        lines.Json.WriteBoolean("good", verification.Findings.Count == 0);
        lines.Json.WriteNumber("objects", verification.Objects);
        lines.Json.WriteNumber("bytes", verification.Bytes);
        lines.Json.WriteNumber("snapshots", verification.Snapshots);
        if (verification.OnDemand > 0)
            lines.Json.WriteNumber("on_demand", verification.OnDemand);
        lines.EndLine();
        return verification.Findings.Count == 0 ? ExitStatus.Success : ExitStatus.No;
    }

    internal static void WriteText(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }

    internal static void WriteNames(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
