using System.CommandLine;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-parse: says what is in send-streams.</summary>
internal static class SendstreamParse
{
    private const string Json = "json", Text = "text", Stat = "stat";

    public static Tool Declare()
    {
        Argument<string[]> files = StreamChain.Files();
        Option<string> format = new("--format")
        {
            Description = "json: a line for each command with all that it says. text: what btrfs receive --dump prints. stat: counts and bytes by command and path, as one JSON object. tree: the files of each subvolume, short, with who shares data by clones; what is usual is left out. tree-json: those of the last subvolume with their digests, a line a path. changes: what the stream did, a line for each path and kind of change.",
            DefaultValueFactory = _ => Json,
        };
        format.AcceptOnlyFromAmong(Json, Text, Stat, StateFormats.Text, StateFormats.Json, StateFormats.Changes);
        Option<bool> data = new("--data") { Description = "json: with the bytes of files, in base64; else only how many they are." };
        Option<string> flavour = new("--flavour")
        {
            Description = "text: as which btrfs-progs print it. 6.2 is Debian 12's, current is 6.19, which escapes extended attributes and sources of clones too.",
            DefaultValueFactory = _ => "6.2",
        };
        flavour.AcceptOnlyFromAmong("6.2", "current");
        Option<bool> first = new("--first") { Description = "Stop at the first end command, as btrfs receive --dump does; else all streams of the input are read." };
        Option<int> depth = new("--depth") { Description = "stat: count by so many first components of paths.", DefaultValueFactory = _ => 1, HelpName = "N" };
        Option<int> top = new("--top") { Description = "stat: say so many paths, those with most bytes.", DefaultValueFactory = _ => 20, HelpName = "N" };
        Option<bool> noVerify = new("--no-verify") { Description = "Do not look at CRCs." };
        Option<string> progress = Progress.Option();
        ReaderOptions reader = new();
        StateFormats state = new();
        Command command = new("sendstream-parse", "Say what is in send-streams.") { files, format, data, flavour, depth, top, first, noVerify, progress };
        reader.AddTo(command);
        state.AddTo(command);
        return new Tool(
            command,
            "sendstream-parse web.1.sendstream | jq -r 'select(.op == \"write\") | .path' | sort -u\nzstd -dc web.1.sendstream.zst | sendstream-parse --format text\nsendstream-parse --format changes --parent web.1.sendstream web.2.sendstream\nsendstream-parse --cat etc/os-release web.1.sendstream.zst",
            (args, io) =>
            {
                string chosen = args.GetRequiredValue(format);
                string[] named = args.GetValue(files) ?? [];
                using Progress? reporting = io.OutIsTerminal ? null : Progress.Start(io, args.GetValue(progress)); // it would be among the lines
                Reading reading = reader.Of(args, args.GetValue(noVerify)) with { Progress = reporting };
                if (state.AreWanted(args, chosen, args.GetResult(format) is { Implicit: false }))
                    return state.Run(args, chosen, named, reading, io);
                if (named.Length > 1)
                    throw new UsageException($"--format {chosen} reads one input: 'cat' puts several behind each other");
                if (args.GetValue(data) && chosen != Json)
                    throw new UsageException($"--data does not go with --format {chosen}");
                (int components, int paths) = (args.GetValue(depth), args.GetValue(top));
                if (components < 1 || paths < 0)
                    throw new UsageException(components < 1 ? "--depth: expected 1 or more" : "--top: expected 0 or more");
                using StreamInput input = StreamInput.Open(named is [var only] ? only : InputFile.StandardInput, io, reading);
                SendStreamReader commands = input.NewReader();
                CommandWriter writer = chosen switch
                {
                    Text => new SendStreamText(io.Out, args.GetValue(flavour) == "6.2" ? TextFlavour.Progs62 : TextFlavour.Current, LocalZone.OffsetAt),
                    Stat => new SendStreamStatistics(io.Out, components, paths),
                    _ => new SendStreamJson(io.Out, args.GetValue(data)),
                };
                return input.Read(() =>
                {
                    writer.WriteAll(commands, args.GetValue(first));
                    return ExitStatus.Success;
                });
            });
    }
}
