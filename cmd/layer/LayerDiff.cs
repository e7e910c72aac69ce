using System.CommandLine;
using Layerbox.Layer;

namespace Layerbox.Cmd.Layers;

/// <summary>layer-diff: what differs between two layers, path by path.</summary>
internal static class LayerDiff
{
    public static Tool Declare()
    {
        Argument<string> a = LayerArguments.Handle("A"), b = LayerArguments.Handle("B");
        Option<string> format = Difference.Format();
        Option<string?> volume = LayerArguments.Volume();
        Command command = new("layer-diff", "Show what differs between two layers. Exit status 1 when something does.") { a, b, format, volume };
        return new Tool(
            command,
            "layer-diff old.layer new.layer",
            (args, io) => Run(args.GetRequiredValue(a), args.GetRequiredValue(b), args.GetValue(format), args.GetValue(volume), io));
    }

    private static int Run(string a, string b, string? format, string? volume, Streams io)
    {
        if (a == "-" && b == "-")
            throw new UsageException("only one of the two can come from standard input");
        using BuiltLayer old = LayerArguments.Open(a, volume, io);
        using BuiltLayer now = LayerArguments.Open(b, volume, io);
        if (old.Handle.Digest == now.Handle.Digest)
            return ExitStatus.Success;
        return Difference.Write(old.Tree, now.Tree, format, io);
    }
}
