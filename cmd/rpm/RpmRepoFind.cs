using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-repo-snapshot find: in which snapshots a package is.</summary>
internal static class RpmRepoFind
{
    public static RepoCommand Declare()
    {
        Argument<string> what = new("PACKAGE")
        {
            Description = "A name, name.arch, name-version or full name, each perhaps with * and ?; a digest such as sha256:…; or the path of a package file, with a slash in it.",
        };
        Command command = new("find", "Say in which snapshots a package is: a line for each place. Exit status 1 when it is in none.") { what };
        return new RepoCommand(command, (args, at, io) => Run(args.GetRequiredValue(what), at, io));
    }

    private static int Run(string what, StoreArgument at, Streams io)
    {
        using SnapshotStore store = SnapshotStore.Open(at.Path);
        Groups<string, string> tags = store.Tags().ToGroups(tag => tag.Id, tag => tag.Name);
        using JsonLineWriter lines = new(io.Out);
        int status = ExitStatus.No;
        foreach (FoundPackage found in PackageSearch.Run(store, what.Contains('/', StringComparison.Ordinal) ? PackageSearch.WithBytesOf(what) : PackageSearch.Named(what)))
        {
            status = ExitStatus.Success;
            lines.StartLine();
            lines.Json.WriteString("snapshot", found.Snapshot);
            RpmRepoSnapshot.WriteNames(lines.Json, "tags", tags[found.Snapshot]);
            lines.Json.WriteString("repo", found.Repo.Name);
            lines.Json.WriteString("nevra", PathText.Printable(found.Package.Nevra.ToString()));
            lines.Json.WriteString("location", found.Package.Location.Href);
            lines.Json.WriteString("checksum", found.Package.Checksum.ToString());
            RpmRepoSnapshot.WriteText(lines.Json, "object", store.Find(found.Package.Checksum, found.Package.PackageSize));
            lines.EndLine();
        }
        lines.Flush();
        return status;
    }
}
