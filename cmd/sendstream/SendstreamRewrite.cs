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
        Option<string?> split = new("--split") { Description = "Write parts of at most this size, PATH.00001 and so on, and a list of them, PATH.parts.", HelpName = "SIZE" };
        Option<bool> join = new("--join") { Description = "FILE is such a list: put the parts together, each compared with its digest before it is used." };
        Option<bool> repair = new("--repair") { Description = "Leave out the cut beginnings that a sender left behind when it was stopped and started over." };
        RewriteArguments changes = new();
        NormalArguments normal = new();
        Option<string> progress = Progress.Option();
        ReaderOptions reader = new();
        Command command = new("sendstream-rewrite", "Write send-streams anew with something changed: version, compression, identity, owners, times, paths. With no option: the same bytes.")
        {
            files, output, split, join, repair, progress,
        };
        changes.AddTo(command);
        normal.AddTo(command);
        reader.AddTo(command);
        return new Tool(
            command,
            "sendstream-rewrite --proto 2 --compress zstd old.sendstream > new.sendstream\n"
                + "sendstream-rewrite --map-uid 0=100000+65536 --map-gid 0=100000+65536 web.sendstream | btrfs receive /volume\n"
                + "sendstream-rewrite --only web.2 --uuid 6a2f41a3-c54c-4b8a-9d3f-0c1f2e3d4c5b --output web.2.sendstream all.sendstream.zst\n"
                + "sendstream-rewrite --normalise --exclude 'var/cache/**' web.sendstream | sha256sum\n"
                + "sendstream-rewrite --split 4G --output /media/web web.sendstream && sendstream-rewrite --join /media/web.parts | btrfs receive /volume",
            (args, io) =>
            {
                Reading reading = reader.Of(args);
                RewriteOptions options = changes.Options(args) with { Limits = reading.Limits };
                RewriteInput input = new(args.GetValue(files)!, args.GetValue(join), args.GetValue(repair), reading, args.GetValue(progress), io);
                NormalOptions? form = normal.Options(args, options, input);
                return Run(stream => Write(input, stream, options, form, io), args.GetValue(output), args.GetValue(split), io);
            });
    }

    private static int Run(Action<Stream> write, string? output, string? split, Streams io)
    {
        if (split is not null)
        {
            if (output is null)
                throw new UsageException("--split needs --output");
            long size = Quantity.Bytes(split, "--split");
            if (size < PartsOutput.LeastSize)
                throw new UsageException($"--split: expected at least {PartsOutput.LeastSize} bytes, found {size}");
            using PartsOutput parts = new(output, size);
            write(parts);
            parts.Complete();
        }
        else if (output is null)
            write(io.BinaryOut);
        else
        {
            using OutputFile file = OutputFile.Create(output);
            write(file.Stream);
            file.Commit();
        }
        return ExitStatus.Success;
    }

    private static void Write(RewriteInput input, Stream output, RewriteOptions options, NormalOptions? form, Streams io)
    {
        if (form is not null)
        {
            form.Write(input, output);
            return;
        }
        using SendStreamRewriter rewriter = new(output, options);
        input.ForEach("rewriting", rewriter.Rewrite);
        rewriter.Complete();
        if (rewriter.Notes.LeftOut.Count > 0)
            io.Err.WriteLine($"sendstream-rewrite: left out, since the version cannot say them: {string.Join(", ", rewriter.Notes.LeftOut.Select(n => $"{n.Value} {n.Key}"))}");
    }
}
