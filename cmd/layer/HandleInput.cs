using Layerbox.Layer;
using Layerbox.Posix;

namespace Layerbox.Cmd.Layers;

/// <summary>A layer's handle as it is named on command lines: by its file, or - for standard input.</summary>
internal static class HandleInput
{
    public static LayerHandle Read(string path, Streams io)
    {
        if (path != "-")
            return LayerHandle.Read(path);
        byte[] bytes = new byte[LayerHandle.MaxBytes + 1];
        int length = io.In.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (!Module.IsWhole)
            io.TakenIn = bytes.AsMemory(0, length);
        return length < bytes.Length
            ? LayerHandle.Parse(bytes.AsSpan(0, length), "standard input")
            : throw new InvalidDataException($"standard input: larger than {LayerHandle.MaxBytes} bytes");
    }
}
