using System.CommandLine;
using System.Text.Json.Serialization;
using Layerbox.Btrfs;

namespace Layerbox.Cmd.Volumes;

/// <summary>volume-make: makes the volume that layers live on, or mounts and shows the one that is there.</summary>
internal static class VolumeMake
{
    public static Tool Declare()
    {
        Argument<string?> directory = new("DIR")
        {
            Description = "On btrfs: becomes the volume itself. On anything else: gets the image volume.img, mounted on the folder volume in it. "
                + "Missing folders are made. Without DIR: $LAYERBOX_VOLUME, the .layerbox folder of the current one or one above it, or ${XDG_CACHE_HOME:-~/.cache}/layerbox.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> size = new("--size")
        {
            Description = "Size of a new image, 100G unless told; one that is there grows to it. Only what is written takes room on the disk.",
            HelpName = "SIZE",
        };
        Command command = new(
            "volume-make",
            "Make the volume that layers live on, and print it as a JSON line. One that is there is mounted if need be and kept: nothing is ever formatted anew.")
        {
            directory, size,
        };
        return new Tool(
            command,
            "volume-make\nvolume-make --size 20G /srv/layerbox",
            (args, io) => Run(args.GetValue(directory), args.GetValue(size), io));
    }

    private static int Run(string? directory, string? size, Streams io)
    {
        if (directory is "")
            throw new UsageException("DIR is empty");
        long? bytes = size is null ? null : Quantity.Bytes(size, "--size");
        if (bytes < Volume.MinimumSize)
            throw new UsageException($"--size: at least {Volume.MinimumSize >> 20}M, found '{size}'");
        Volume volume = Volume.Make(directory, bytes);
        (string? path, string? base64) = PathJson.Split(volume.Path);
        io.WriteJsonLine(new MadeVolume(path, base64, volume.Uuid, volume.Size), VolumeJson.Default.MadeVolume);
        return ExitStatus.Success;
    }
}

/// <summary>What volume-make prints: exactly one of the first two, the uuid of the filesystem, and its bytes.</summary>
internal sealed record MadeVolume(string? Volume, [property: JsonPropertyName("volume_b64")] string? VolumeB64, Guid Uuid, long Size);
