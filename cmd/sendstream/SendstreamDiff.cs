using System.CommandLine;
using Layerbox.Cmd.Layers;
using Layerbox.FileTree;

namespace Layerbox.Cmd.Sendstream;

/// <summary>sendstream-diff: what differs between the filesystems that two streams or chains of streams describe.</summary>
internal static class SendstreamDiff
{
    public static Tool Declare()
    {
        Argument<string?> a = new("A") { Description = "A send-stream, plain or compressed, a directory, or the handle of a layer; - for standard input.", Arity = ArgumentArity.ZeroOrOne };
        Argument<string?> b = new("B") { Description = "The same.", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> from = Inputs("--from", "first"), to = Inputs("--to", "second");
        Option<string> format = Difference.Format();
        Option<string?> volume = LayerArguments.Volume();
        Option<string> progress = Progress.Option();
        LimitOptions limits = new();
        Command command = new("sendstream-diff", "Show what differs between the filesystems that two send-streams describe. Contents count, the order of commands does not. Exit status 1 when something differs.")
        {
            a, b, from, to, format, volume, progress,
        };
        limits.AddTo(command);
        return new Tool(
            command,
            "sendstream-diff web.1.sendstream other.sendstream.zst\nsendstream-diff --from web.1.sendstream --to web.1.sendstream --to web.2.sendstream\nsendstream-diff web.1.sendstream /srv/web\nsendstream-diff web.layer web.1.sendstream",
            (args, io) =>
            {
                (string[] first, string[] second) = Sides([.. new[] { args.GetValue(a), args.GetValue(b) }.OfType<string>()], args.GetValue(from) ?? [], args.GetValue(to) ?? []);
                using Progress reporting = Progress.Start(io, args.GetValue(progress));
                return Run(first, second, args.GetValue(format), args.GetValue(volume), limits.Of(args) with { Progress = reporting, ParentAdvice = "name its streams before this one, with --from and --to" }, io);
            });
    }

    private static Option<string[]> Inputs(string name, string which) => new(name)
    {
        Description = $"A stream of the {which} side; given several times, each may build upon those before it, and the last subvolume counts.",
        HelpName = "FILE",
    };

    private static (string[] From, string[] To) Sides(string[] operands, string[] from, string[] to)
    {
        (from, to) = (operands.Length, from.Length, to.Length) switch
        {
            (2, 0, 0) => ([operands[0]], [operands[1]]),
            (0, > 0, > 0) => (from, to),
            _ => throw new UsageException("two operands are wanted, or --from and --to"),
        };
        InputFile.CheckReadOnce(from.Concat(to));
        return (from, to);
    }

    private static int Run(string[] from, string[] to, string? format, string? volume, Reading reading, Streams io)
    {
        // What both sides begin with is read once: what nobody changed since is then the very same, and need not be compared.
        int common = from.Zip(to).TakeWhile(pair => pair.First == pair.Second).Count();
        using StreamChain first = new(io, reading), second = new(io, reading);
        using SentSource? left = Place(from), right = Place(to);
        Tree? shared = common == 0 || left is not null ? null : first.Receive(from[..common]).Tree;
        Tree before = left?.Tree ?? Receive(first, from), after = right?.Tree ?? Receive(shared is null ? second : first, to);
        int status = ExitStatus.Success;
        first.Use(() => second.Use(() => status = Difference.Write(before, after, format, io, reading.Progress)));
        return status;

        // A directory or a layer, which stands for a whole side.
        SentSource? Place(string[] side) => side is [var only] && SentSource.IsNoStream(only) ? SentSource.Open(only, volume, io) : null;

        Tree Receive(StreamChain chain, string[] side) =>
            shared is null ? chain.Receive(side).Tree : side.Length > common ? chain.Receive(side[common..]).Tree : shared;
    }
}
