using System.CommandLine;
using Layerbox.Compression;
using Layerbox.FileTree;
using Layerbox.Rpm;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-show: what packages say about themselves.</summary>
internal static class RpmShow
{
    private const string Name = "rpm-show";

    public static Tool Declare()
    {
        Argument<string[]> files = RpmFiles.Argument();
        files.Description = "RPM packages, or a repository's repomd.xml or primary.xml, compressed or not; - for standard input.";
        Option<bool> listFiles = new("--files") { Description = "Also print each file of the package, a line a file." };
        Option<bool> scripts = new("--scripts") { Description = "Also print the scriptlets and triggers." };
        Option<bool> requires = new("--requires") { Description = "Also print what the package requires, provides, conflicts with and so on, a line each." };
        Option<bool> tags = new("--tags") { Description = "Also print all tags of both headers as they stand, a line a tag." };
        Command command = new(Name, "Show what RPM packages, or the metadata of a repository, say, as JSON lines. Of packages only the headers are read, and no digest is checked: rpm-verify does that.")
        {
            files, listFiles, scripts, requires, tags,
        };
        return new Tool(
            command,
            "rpm-show *.rpm | jq -r '.nevra + \" \" + .license'\n"
            + "rpm-show --files bash.rpm | jq -r 'select(.mode >= \"4000\") | .path'\n"
            + "rpm-show --requires repodata/*-primary.xml.gz | jq -r 'select(.kind == \"requires\") | .name' | sort -u\n"
            + "curl -s https://example.org/bash.rpm | rpm-show --scripts -",
            (args, io) => Run(
                args.GetRequiredValue(files),
                new Shown(args.GetValue(listFiles), args.GetValue(scripts), args.GetValue(requires), args.GetValue(tags)),
                io));
    }

    private sealed record Shown(bool Files, bool Scripts, bool Requires, bool Tags);

    private static int Run(string[] files, Shown shown, Streams io)
    {
        using JsonLineWriter lines = new(io.Out);
        RpmJson json = new(lines);
        int status = RpmFiles.ForEach(Name, files, io, (file, stream) =>
        {
            byte[] first = new byte[4];
            using Stream plain = RepoMetadata.Open(stream, out _);
            int count = plain.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
            using PrefixedStream whole = new(first.AsMemory(0, count), plain, leaveOpen: true);
            if (RepoMetadata.IsStart(first))
                RepoMetadata.Read(whole, shown.Requires, repomd => json.WriteRepomd(repomd, file), package => json.WritePackage(package, shown.Requires));
            else
                ShowPackage(whole, file, shown, json);
        });
        lines.Flush();
        return status;
    }

    private static void ShowPackage(Stream stream, string file, Shown shown, RpmJson json)
    {
        using RpmPackage package = RpmPackage.Open(stream);
        // Lists that do not fit together are found before anything of the package is printed.
        IReadOnlyList<RpmFile> list = shown.Files ? RpmFileList.Read(package) : [];
        List<RpmDependency> relations = shown.Requires
            ? [.. Enum.GetValues<RpmDependencyKind>().SelectMany(kind => RpmDependency.Read(package.Header, kind))]
            : [];
        List<RpmScript> scripts = shown.Scripts ? [.. RpmScript.Read(package.Header)] : [];
        json.WritePackage(package, file);
        foreach (RpmDependency relation in relations)
            json.WriteDependency(relation);
        foreach (RpmScript script in scripts)
            json.WriteScript(script);
        foreach (RpmFile item in list)
            json.WriteFile(item, package);
        if (shown.Tags)
            json.WriteTags(package);
    }
}
