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
        Argument<string> file = StreamInput.Argument();
        Option<string> format = new("--format")
        {
            Description = "json: a line for each command with all that it says. text: what btrfs receive --dump prints. stat: counts and bytes by command and path, as one JSON object.",
            DefaultValueFactory = _ => Json,
        };
        format.AcceptOnlyFromAmong(Json, Text, Stat);
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
        ReaderOptions reading = new();
        Command command = new("sendstream-parse", "Say what is in send-streams.") { file, format, data, flavour, depth, top, first, noVerify };
        reading.AddTo(command);
        return new Tool(
            command,
            "sendstream-parse web.1.sendstream | jq -r 'select(.op == \"write\") | .path' | sort -u\nzstd -dc web.1.sendstream.zst | sendstream-parse --format text",
            (args, io) =>
            {
                string chosen = args.GetRequiredValue(format);
                if (args.GetValue(data) && chosen != Json)
                    throw new UsageException($"--data does not go with --format {chosen}");
                (int components, int paths) = (args.GetValue(depth), args.GetValue(top));
                if (components < 1 || paths < 0)
                    throw new UsageException(components < 1 ? "--depth: expected 1 or more" : "--top: expected 0 or more");
                using StreamInput input = StreamInput.Open(args.GetRequiredValue(file), io);
                SendStreamReader reader = reading.Open(input, args, args.GetValue(noVerify));
                CommandWriter writer = chosen switch
                {
                    Text => new SendStreamText(io.Out, args.GetValue(flavour) == "6.2" ? TextFlavour.Progs62 : TextFlavour.Current, LocalZone.OffsetAt),
                    Stat => new SendStreamStatistics(io.Out, components, paths),
                    _ => new SendStreamJson(io.Out, args.GetValue(data)),
                };
                return input.Read(() =>
                {
                    writer.WriteAll(reader, args.GetValue(first));
                    return ExitStatus.Success;
                });
            });
    }
}
