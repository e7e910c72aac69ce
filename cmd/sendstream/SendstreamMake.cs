using System.CommandLine;
using Layerbox.Btrfs;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-make: writes the send stream of a subvolume.</summary>
internal static class SendstreamMake
{
    public static Tool Declare()
    {
        Argument<string> subvolume = new("SUBVOL") { Description = "A read-only subvolume." };
        Option<string> parent = new("--parent", "-p") { Description = "Write only the difference to this read-only subvolume, which the receiver has.", HelpName = "SUBVOL" };
        Option<string[]> cloneSources = new("--clone-source", "-c")
        {
            Description = "A read-only subvolume that the receiver has, to clone extents from. May be given several times.",
            HelpName = "SUBVOL",
        };
        Option<string> protocol = new("--proto") { Description = "Version of the stream, 1 or 2. Without it: 2 with --compressed, else 1.", HelpName = "1|2" };
        protocol.AcceptOnlyFromAmong("1", "2");
        Option<bool> compressed = new("--compressed") { Description = "Write compressed extents as they are on disk." };
        Option<bool> noData = new("--no-data") { Description = "Leave out the contents of files: the stream says where they changed." };
        Command command = new("sendstream-make", "Write the send stream of a read-only btrfs subvolume to standard output.")
        {
            subvolume, parent, cloneSources, protocol, compressed, noData,
        };
        return new Tool(
            command,
            "sendstream-make /volume/web.1 > web.1.sendstream\nsendstream-make --parent /volume/web.1 /volume/web.2 | btrfs receive /backup",
            (args, io) => Run(
                args.GetRequiredValue(subvolume),
                new SendOptions
                {
                    Parent = args.GetValue(parent),
                    CloneSources = args.GetValue(cloneSources) ?? [],
                    Protocol = args.GetValue(protocol) switch { "1" => 1, "2" => 2, _ => null },
                    Compressed = args.GetValue(compressed),
                    NoData = args.GetValue(noData),
                },
                io));
    }

    private static int Run(string subvolume, SendOptions options, Streams io)
    {
        if (options is { Compressed: true, Protocol: 1 })
            throw new UsageException("--compressed needs --proto 2");
        KernelSend.Send(subvolume, io.BinaryOut, options);
        return ExitStatus.Success;
    }
}
