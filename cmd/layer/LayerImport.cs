using System.CommandLine;
using Layerbox.Btrfs;
using Layerbox.Layer;

namespace Layerbox.Cmd.Layers;

/// <summary>layer-import: an archive or send-stream that was fetched and pinned becomes a layer.</summary>
internal static class LayerImport
{
    public static Tool Declare()
    {
        Argument<string> file = new("FILE") { Description = "A tar archive or a full send-stream, plain or compressed with gzip, zstd, xz or bzip2; - for standard input." };
        Option<string> sha256 = new("--sha256") { Description = "The digest that the file must have, as sha256sum prints it.", Required = true, HelpName = "D" };
        Option<string?> name = new("--name") { Description = "The layer's name; else the file's, without its endings." };
        Option<string?> output = new("--output", "-o") { Description = "Write the handle to this file too; the layer lives as long as the file does.", HelpName = "HANDLE" };
        Option<bool> noCache = new("--no-cache") { Description = "Import even when a layer of the same file is there." };
        Option<string[]> mounts = new("--allow-host-mount") { Description = "A path of this machine that the image may have mounted when it runs. May be given several times.", HelpName = "PATH" };
        Option<string?> volume = LayerArguments.Volume();
        Option<string> progress = Progress.Option();
        Command command = new("layer-import", "Make a layer of a pinned archive or send-stream and print its handle.") { file, sha256, name, output, noCache, mounts, volume, progress };
        return new Tool(
            command,
            "layer-import rootfs.tar.zst --sha256 $(sha256sum < rootfs.tar.zst | cut -d ' ' -f 1) --output base.layer",
            (args, io) => Run(args.GetRequiredValue(file), args.GetRequiredValue(sha256), args.GetValue(name), args.GetValue(output), args.GetValue(noCache),
                args.GetValue(mounts) ?? [], args.GetValue(volume), args.GetValue(progress), io));
    }

    private static int Run(string file, string digest, string? name, string? output, bool noCache, string[] mounts, string? volumePath, string? progressMode, Streams io)
    {
        string pin = "sha256:" + (digest.StartsWith("sha256:", StringComparison.Ordinal) ? digest[7..] : digest);
        if (pin.Length != 71 || !pin.Skip(7).All(char.IsAsciiHexDigitLower))
            throw new UsageException($"--sha256: '{digest}' is not 64 hexadecimal digits");
        if (file == InputFile.StandardInput && name is null)
            throw new UsageException("--name is needed for standard input");
        string layerName = name ?? Path.GetFileName(file).Split('.')[0];
        if (!LayerName.IsGood(layerName))
            throw new UsageException($"{(name is null ? "give --name: " : "--name: ")}'{layerName}' is no name for a layer: {LayerName.Rule}");
        Volume volume = Volume.Open(volumePath);
        using Progress progress = Progress.Start(io, progressMode);
        CompileResult result = new LayerImporter(volume, LayerArguments.Options(noCache, progress, io)) { AllowedHostMounts = mounts.ToHashSet(StringComparer.Ordinal) }.Import(
            layerName,
            pin,
            () => InputFile.Open(file, io),
            InputFile.NameOf(file));
        using BuiltLayer layer = result.Layer;
        LayerArguments.Hand(layer, output, volume, io);
        return ExitStatus.Success;
    }
}
