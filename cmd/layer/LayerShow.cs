using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Rootfs;

namespace Layerbox.Cmd.Layers;

/// <summary>layer-show: the complete canonical state of a layer's filesystem.</summary>
internal static class LayerShow
{
    private const string TreeForm = "tree", JsonForm = "json", MtreeForm = "mtree", PackagesForm = "packages";

    public static Tool Declare()
    {
        Argument<string> handle = LayerArguments.Handle();
        Option<string> format = new("--format") { Description = "tree: short, for reading and for tests; json: a line a path; mtree: as bsdtar and mtree take it; packages: a line of JSON an RPM package, with its digest.", DefaultValueFactory = _ => TreeForm };
        format.AcceptOnlyFromAmong(TreeForm, JsonForm, MtreeForm, PackagesForm);
        Option<bool> clones = new("--clones") { Description = "With --format tree: show with which other files of the layer data is shared on disk." };
        Option<string?> volume = LayerArguments.Volume();
        Command command = new("layer-show", "Show all that is in a layer.") { handle, format, clones, volume };
        return new Tool(
            command,
            "layer-show web.layer\nlayer-show web.layer --format json | jq -r 'select(.made_by) | .made_by + \" /\" + .path'\nlayer-show web.layer --format packages | jq -r .nevra",
            (args, io) => Run(args.GetRequiredValue(handle), args.GetRequiredValue(format), args.GetValue(clones), args.GetValue(volume), io));
    }

    private static int Run(string handle, string format, bool clones, string? volume, Streams io)
    {
        if (clones && format != TreeForm)
            throw new UsageException("--clones goes with --format tree");
        using BuiltLayer layer = LayerArguments.Open(handle, volume, io);
        if (format == PackagesForm)
            WritePackages(layer, handle, io);
        else if (format == JsonForm)
            TreeJson.Write(io.Out, layer.Tree);
        else if (format == MtreeForm)
            Mtree.Write(io.Out, layer.Tree);
        else
            WriteText(layer.Tree, clones, io);
        return ExitStatus.Success;
    }

    private static void WritePackages(BuiltLayer layer, string handle, Streams io)
    {
        IReadOnlyList<RpmRecord> packages = layer.Packages ?? throw new LayerException($"{handle}: no list of packages was kept beside this layer: no item installed any, or a command or removal changed their database since");
        foreach (RpmRecord package in packages)
            io.Out.Write(package.ToBytes());
    }

    private static void WriteText(Tree tree, bool clones, Streams io)
    {
        SharedStorage? shared = clones ? new SharedStorage([(null, tree)], content => content is DiskContent disk ? disk.FindStorage() : []) : null;
        TreeText.Write(io.Out, tree, new TreeTextOptions { Shared = shared });
        io.Out.WriteByte((byte)'\n');
    }
}
