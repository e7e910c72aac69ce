using System.CommandLine;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-rewrite: streams in, streams out, with something changed.</summary>
internal static class SendstreamRewrite
{
    public static Tool Declare()
    {
        Argument<string[]> files = new("FILE")
        {
            Description = "Send-streams, plain or compressed with gzip, zstd, xz or bzip2; - for standard input. Several are written one after another.",
            DefaultValueFactory = _ => [InputFile.StandardInput],
        };
        Option<string?> output = new("--output", "-o") { Description = "Write to this file, which appears when it is whole. Without it: to standard output.", HelpName = "PATH" };
        RewriteArguments changes = new();
        Option<string> progress = Progress.Option();
        Command command = new("sendstream-rewrite", "Write send-streams anew with something changed: version, compression, identity, owners, times. With no option: the same bytes.")
        {
            files, output, progress,
        };
        changes.AddTo(command);
        return new Tool(
            command,
            "sendstream-rewrite --proto 2 --compress zstd old.sendstream > new.sendstream\n"
                + "sendstream-rewrite --map-uid 0=100000+65536 --map-gid 0=100000+65536 web.sendstream | btrfs receive /volume\n"
                + "sendstream-rewrite --only web.2 --uuid 6a2f41a3-c54c-4b8a-9d3f-0c1f2e3d4c5b --output web.2.sendstream all.sendstream.zst",
            (args, io) => Run(args.GetValue(files)!, args.GetValue(output), changes.Options(args), args.GetValue(progress), io));
    }

    private static int Run(string[] files, string? output, RewriteOptions options, string? progressMode, Streams io)
    {
        if (output is null)
        {
            Rewrite(files, io.BinaryOut, options, progressMode, io);
            return ExitStatus.Success;
        }
        using OutputFile file = OutputFile.Create(output);
        Rewrite(files, file.Stream, options, progressMode, io);
        file.Commit();
        return ExitStatus.Success;
    }

    private static void Rewrite(string[] files, Stream output, RewriteOptions options, string? progressMode, Streams io)
    {
        CancellationToken cancellation = io.Cancellation;
        using Progress progress = Progress.Start(io, progressMode);
        using SendStreamRewriter rewriter = new(output, options);
        foreach (string file in files)
        {
            using StreamInput input = StreamInput.Open(file, io);
            input.Read(() =>
            {
                rewriter.Rewrite(input.Bytes, done =>
                {
                    progress.Report("rewriting", done);
                    cancellation.ThrowIfCancellationRequested();
                });
                return true;
            });
        }
        rewriter.Complete();
        if (rewriter.Notes.LeftOut.Count > 0)
            io.Err.WriteLine($"sendstream-rewrite: left out, since the version cannot say them: {string.Join(", ", rewriter.Notes.LeftOut.Select(n => $"{n.Value} {n.Key}"))}");
    }
}
