using System.CommandLine;
using Layerbox.Archive;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-tar: the files of a send-stream as an archive.</summary>
internal static class SendstreamTar
{
    public static Tool Declare()
    {
        Argument<string[]> files = StreamChain.Files();
        Option<string> output = new("--output", "-o") { Description = "Where; else standard output.", HelpName = "PATH" };
        Option<string> subvolume = StreamChain.Subvolume();
        Option<bool> changes = new("--changes")
        {
            Description = "Write only what differs from the subvolume's parent, which must be among the streams, as a layer of a container image: .wh.NAME stands for what is gone.",
        };
        Option<bool> skipSockets = new("--skip-sockets") { Description = "Leave out sockets, which tar cannot hold, rather than fail." };
        Option<string> progress = Progress.Option();
        LimitOptions limits = new();
        Command command = new("sendstream-tar", "Write the files that a send-stream describes as a tar archive: same content, same bytes. Needs neither btrfs nor root.")
        {
            files, output, subvolume, changes, skipSockets, progress,
        };
        limits.AddTo(command);
        return new Tool(
            command,
            "zstd -dc web.sendstream.zst | sendstream-tar - | tar -tv\nsendstream-tar web.1.sendstream web.2.sendstream --output web.2.tar\nsendstream-tar --changes web.1.sendstream web.2.sendstream > layer.tar",
            (args, io) => Run(
                args.GetValue(files) ?? [],
                args.GetValue(output),
                args.GetValue(subvolume),
                args.GetValue(changes),
                new TarWriterOptions { SkipSockets = args.GetValue(skipSockets) },
                limits.Of(args),
                args.GetValue(progress),
                io));
    }

    private static int Run(string[] files, string? path, string? name, bool isChanges, TarWriterOptions options, Reading reading, string? progressMode, Streams io)
    {
        Stream? standardOutput = path is null ? io.UnbufferedOut : null;
        using Progress progress = Progress.Start(io, progressMode);
        using StreamChain chain = new(io, reading with { Progress = progress });
        chain.Receive(files);
        ReceivedSubvolume subvolume = chain.Select(name);
        ReceivedSubvolume? parent = !isChanges ? null : chain.ParentOf(subvolume)
            ?? throw new InvalidDataException($"'{subvolume.Name}' is no incremental stream's: it has no parent that it could differ from: leave --changes out for all of it");
        if (standardOutput is not null)
        {
            Write(standardOutput, options with { Progress = done => progress.Report("writing", done.Bytes) });
            return ExitStatus.Success;
        }
        CancellationToken cancellation = io.Cancellation;
        using OutputFile output = OutputFile.Create(path!);
        Write(output.Stream, options with
        {
            Progress = done =>
            {
                progress.Report("writing", done.Bytes);
                cancellation.ThrowIfCancellationRequested();
            },
        });
        output.Commit();
        return ExitStatus.Success;

        void Write(Stream destination, TarWriterOptions options)
        {
            try
            {
                chain.Use(() =>
                {
                    if (parent is null)
                        TarWriter.Write(destination, subvolume.Tree, options);
                    else
                        TarChangeset.Write(destination, parent.Tree, subvolume.Tree, options);
                });
            }
            catch (InvalidDataException e) when (e.Message.EndsWith("cannot hold a socket", StringComparison.Ordinal))
            {
                throw new InvalidDataException($"{e.Message}: --skip-sockets leaves them out", e);
            }
        }
    }
}
