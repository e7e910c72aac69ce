using System.CommandLine;
using System.Text.Json.Serialization;
using Layerbox.Cmd.Layers;
using Layerbox.Layer;

namespace Layerbox.Cmd.Images;

/// <summary>image-package: a layer as a file that leaves this machine.</summary>
internal static partial class ImagePackage
{
    public static Tool Declare()
    {
        Argument<string> handle = LayerArguments.Handle();
        Option<string> format = new("--format", "-f") { Description = "What to write.", Required = true };
        format.AcceptOnlyFromAmong([.. LayerPackage.Formats]);
        Option<string> output = new("--output", "-o") { Description = "Where; nothing may be there yet. - writes the bytes to standard output.", Required = true, HelpName = "PATH" };
        Option<string?> volume = LayerArguments.Volume();
        Option<string> progress = Progress.Option();
        Command command = new("image-package", "Write a layer as a send-stream, an archive or a directory: same content, same bytes. Prints path, size and digest as a JSON line.")
        {
            handle, format, output, volume, progress,
        };
        return new Tool(
            command,
            "image-package web.layer --format tar.zst --output web.tar.zst",
            (args, io) => Run(args.GetRequiredValue(handle), args.GetRequiredValue(format), args.GetRequiredValue(output), args.GetValue(volume), args.GetValue(progress), io));
    }

    private static int Run(string handle, string format, string output, string? volume, string? progressMode, Streams io)
    {
        if (output == "-" && format == LayerPackage.Folder)
            throw new UsageException("a directory cannot be written to standard output");
        using BuiltLayer layer = LayerArguments.Open(handle, volume, io);
        if (output == "-")
        {
            LayerPackage.WriteStream(layer, format, io.BinaryOut);
            return ExitStatus.Success;
        }
        using Progress progress = Progress.Start(io, progressMode);
        // Asked for before the work: from here on a signal does not end the tool before it has cleaned up.
        CancellationToken cancellation = io.Cancellation;
        Packaged package = LayerPackage.Write(layer, format, output, done =>
        {
            progress.Report("packaging", done);
            cancellation.ThrowIfCancellationRequested();
        });
        (string? path, string? bytes) = PathJson.Split(output);
        io.WriteJsonLine(new Package(path, bytes, format, package.Size, package.Digest), PackageJson.Default.Package);
        return ExitStatus.Success;
    }

    internal sealed record Package(
        string? Path, string? PathB64, string Format, long Size, string Digest);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(Package))]
    private sealed partial class PackageJson : JsonSerializerContext;
}
