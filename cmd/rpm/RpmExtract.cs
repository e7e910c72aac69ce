using System.CommandLine;
using Layerbox.Archive;
using Layerbox.Layer;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.Rpm;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-extract: the files of packages in a directory, or as an archive, without installing them.</summary>
internal static class RpmExtract
{
    private const string Name = "rpm-extract";

    private sealed record Request(string[] Files, string? Into, bool AsTar, string? Output, bool NoOwner);

    public static Tool Declare()
    {
        Argument<string[]> files = RpmFiles.Argument();
        Option<string> into = new("--into") { Description = "Write the files below this directory: a new one, or one that holds none of them.", HelpName = "DIR" };
        Option<bool> tar = new("--tar") { Description = "Write them as a tar archive, to standard output: same packages, same bytes." };
        Option<string> output = new("--output", "-o") { Description = "With --tar: where, instead of standard output.", HelpName = "PATH" };
        Option<bool> noOwner = new("--no-owner") { Description = "Leave everything to the caller, who need not be root then unless there are devices or capabilities; with --tar to root." };
        Option<string> progress = Progress.Option();
        Command command = new(
            Name,
            "Unpack RPM packages without installing them. Files, links, modes, times, owners and capabilities are as their headers say; no scripts, no ghosts, "
            + "no database. The digests of header, payload and files are checked before anything is kept. Owners are looked up in etc/passwd and etc/group of the packages and of DIR; "
            + "what belongs to others goes to root without setuid and setgid bits, as rpm does it, and is told.")
        {
            files, into, tar, output, noOwner, progress,
        };
        return new Tool(
            command,
            "rpm-extract bash.rpm --into /tmp/bash --no-owner\nrpm-extract --tar *.rpm | tar -tv\ncurl -s https://example.org/bash.rpm | rpm-extract - --tar --output bash.tar",
            (args, io) => Run(
                new Request(args.GetRequiredValue(files), args.GetValue(into), args.GetValue(tar), args.GetValue(output), args.GetValue(noOwner)),
                args.GetValue(progress),
                io));
    }

    private static int Run(Request request, string? progressMode, Streams io)
    {
        if (request.AsTar == request.Into is not null)
            throw new UsageException("say either --into DIR or --tar");
        if (request.Output is not null && !request.AsTar)
            throw new UsageException("--output goes with --tar");
        InputFile.CheckReadOnce(request.Files);
        Stream? standardOutput = request is { AsTar: true, Output: null } ? io.BinaryOut : null;
        CancellationToken cancellation = io.Cancellation;
        using Progress progress = Progress.Start(io, progressMode);
        if (request.Into is { } directory)
        {
            using PackageTarget target = new(directory, Reading);
            AddAll(target.Packages, request, io);
            target.Write(done => Report("writing", done.Bytes));
            return ExitStatus.Success;
        }
        using OutputDirectory staging = OutputDirectory.Create(Path.Combine(Path.GetTempPath(), Name), replace: true); // never committed, so it goes
        using StagedContentStore store = new(staging.TemporaryPath);
        RpmTree packages = new(store) { Progress = Reading };
        AddAll(packages, request, io);
        TarWriterOptions options = new() { Progress = done => Report("writing", done.Bytes) };
        if (standardOutput is not null)
        {
            TarWriter.Write(standardOutput, packages.Tree, options);
            return ExitStatus.Success;
        }
        using OutputFile output = OutputFile.Create(request.Output!);
        TarWriter.Write(output.Stream, packages.Tree, options);
        output.Commit();
        return ExitStatus.Success;

        void Reading(long bytes) => Report("reading", bytes);

        void Report(string what, long bytes)
        {
            progress.Report(what, bytes);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    private static void AddAll(RpmTree packages, Request request, Streams io)
    {
        foreach (string file in request.Files)
            RpmFiles.Read(file, io, stream =>
            {
                using RpmPackage package = RpmPackage.Open(stream);
                packages.Add(package, RpmChecks.Header | RpmChecks.Payload | RpmChecks.Files);
            });
        if (request.NoOwner)
        {
            (uint uid, uint gid) = request.AsTar ? (0, 0) : (Directories.EffectiveUid, Directories.EffectiveGid);
            packages.GiveToOwners(_ => uid, _ => gid);
            return;
        }
        Accounts accounts = Accounts.Read(packages.Tree);
        packages.GiveToOwners(accounts.Uid, accounts.Gid, unknown => io.Err.WriteLine(PathText.Printable($"{Name}: {unknown}: not in etc/passwd and etc/group there, root is taken")));
    }
}
