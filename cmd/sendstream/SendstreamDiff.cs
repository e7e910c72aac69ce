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
        Option<string[]> from = Inputs("--from", "first"), to = Inputs("--to", "second");
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

    private static Option<string[]> Inputs(string name, string which) => new(name)
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
            throw new UsageException("standard input can be read once only");
        // What both sides begin with is read once: what nobody changed since is then the very same, and need not be compared.
        int common = from.Zip(to).TakeWhile(pair => pair.First == pair.Second).Count();
        using StreamChain first = new(io), second = new(io);
        Tree? shared = common == 0 || IsFolder(from) ? null : first.Receive(from[..common]).Tree;
        Tree before = Receive(first, from), after = Receive(shared is null ? second : first, to);
        return Difference.Write(before, after, format, io);

        Tree Receive(StreamChain chain, string[] side)
        {
            if (IsFolder(side))
                return RootfsReader.Read(side[0]);
            return shared is null ? chain.Receive(side).Tree : side.Length > common ? chain.Receive(side[common..]).Tree : shared;
        }
    }

    private static bool IsFolder(string[] side) =>
        side is [var only] && only != InputFile.StandardInput && Files.Exists(only) && Files.Status(only, followLinks: true).IsDirectory;
}
