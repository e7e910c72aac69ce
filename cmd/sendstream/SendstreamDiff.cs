using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-diff: what differs between the filesystems that two streams or chains of streams describe.</summary>
internal static class SendstreamDiff
{
    public static Tool Declare()
    {
        Argument<string?> a = new("A") { Description = "A send-stream, plain or compressed, or a directory; - for standard input.", Arity = ArgumentArity.ZeroOrOne };
        Argument<string?> b = new("B") { Description = "The same.", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> from = Side("--from", "first"), to = Side("--to", "second");
        Option<string> format = Difference.Format();
        Command command = new("sendstream-diff", "Show what differs between the filesystems that two send-streams describe. Contents count, the order of commands does not. Exit status 1 when something differs.")
        {
            a, b, from, to, format,
        };
        return new Tool(
            command,
            "sendstream-diff web.1.sendstream other.sendstream.zst\nsendstream-diff --from web.1.sendstream --to web.1.sendstream --to web.2.sendstream\nsendstream-diff web.1.sendstream /srv/web",
            (args, io) => Run([.. new[] { args.GetValue(a), args.GetValue(b) }.OfType<string>()], args.GetValue(from) ?? [], args.GetValue(to) ?? [], args.GetValue(format), io));
    }

    private static Option<string[]> Side(string name, string which) => new(name)
    {
        Description = $"A stream of the {which} side; given several times, each may build upon those before it, and the last subvolume counts.",
        HelpName = "FILE",
    };

    private static int Run(string[] operands, string[] from, string[] to, string? format, Streams io)
    {
        (from, to) = (operands.Length, from.Length, to.Length) switch
        {
            (2, 0, 0) => ([operands[0]], [operands[1]]),
            (0, > 0, > 0) => (from, to),
            _ => throw new UsageException("two operands are wanted, or --from and --to"),
        };
        if (from.Concat(to).Count(file => file == InputFile.StandardInput) > 1)
            throw new UsageException(StreamChain.OneStandardInput);
        return Difference.Write(TreeDifference.Compare(Read(from, io), Read(to, io)), format, io);
    }

    private static Tree Read(string[] side, Streams io) =>
        side is [var only] && only != InputFile.StandardInput && Files.Exists(only) && Files.Status(only, followLinks: true).IsDirectory
            ? RootfsReader.Read(only)
            : StreamChain.Read(side, known: null, io).Select(null).Tree;
}
