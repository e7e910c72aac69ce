using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Cmd.Layers;

/// <summary>layer-compile: a specification, its inputs and its parent become a read-only subvolume, and a handle that names it.</summary>
internal static class LayerCompile
{
    public static Tool Declare()
    {
        Argument<string> spec = new("SPEC") { Description = "The layer's specification: JSON, comments allowed. Paths in it start at its folder." };
        Option<string?> output = new("--output", "-o") { Description = "Write the handle to this file too; the layer lives as long as the file does.", HelpName = "HANDLE" };
        Option<string?> sources = new("--sources") { Description = "JSON object of name → path: where the names in the specification lead, for build systems.", HelpName = "MAP" };
        Option<bool> noCache = new("--no-cache") { Description = "Build even when a layer of the same recipe is there." };
        Option<bool> check = new("--check") { Description = "Build again and compare with what is there; exit status 1 and the differences if they are not the same." };
        Option<bool> plan = new("--plan") { Description = "Print the items in the order in which they would run, one a line, and build nothing." };
        Option<string?> volume = LayerArguments.Volume();
        Option<string> progress = Progress.Option();
        Command command = new("layer-compile", "Compile a layer into a read-only subvolume and print its handle.") { spec, output, sources, noCache, check, plan, volume, progress };
        return new Tool(
            command,
            "layer-compile web.layer.json --output web.layer\nlayer-compile web.layer.json | container-run - -- /usr/bin/web --self-test",
            (args, io) => Run(args.GetRequiredValue(spec), args.GetValue(output), args.GetValue(sources),
                args.GetValue(noCache), args.GetValue(check), args.GetValue(plan), args.GetValue(volume), args.GetValue(progress), io));
    }

    private static int Run(string path, string? output, string? sources, bool noCache, bool check, bool plan, string? volumePath, string? progressMode, Streams io)
    {
        LayerSpec spec = LayerSpec.Read(path, sources is null ? null : Sources.ReadMap(sources));
        Volume volume = Volume.Open(volumePath);
        using Progress progress = Progress.Start(io, progressMode);
        if (plan)
        {
            foreach (Item item in new LayerCompiler(volume, LayerArguments.Options(noCache, progress, io)).Plan(spec))
                io.WriteLine(item.Text);
            return ExitStatus.Success;
        }
        CompileResult result = new LayerCompiler(volume, LayerArguments.Options(noCache, progress, io)).Compile(spec);
        using BuiltLayer layer = result.Layer;
        if (check && !IsSame(layer, new LayerCompiler(volume, LayerArguments.Options(noCache: true, progress, io)).Compile(spec), io))
            return ExitStatus.No;
        LayerArguments.Hand(layer, output, volume, io);
        return ExitStatus.Success;
    }

    private static bool IsSame(BuiltLayer layer, CompileResult again, Streams io)
    {
        using BuiltLayer other = again.Layer;
        if (other.Handle.Digest == layer.Handle.Digest)
            return true;
        foreach (TreeChange change in TreeDifference.Compare(layer.Tree, other.Tree))
            io.WriteLine(TreeDifferenceText.Line(change));
        return false;
    }
}
