using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer;

/// <summary>Small host files whole, by paths that need not be UTF-8.</summary>
internal static class FileBytes
{
    /// <summary>More than any specification or handle; what is larger was meant for something else.</summary>
    private const int MaxSize = 64 << 20;

    public static byte[] Read(string path)
    {
        using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NonBlocking);
        using MemoryStream bytes = new();
        byte[] buffer = new byte[64 * 1024];
        while (Files.Read(file, buffer, path) is var n and > 0)
        {
            bytes.Write(buffer, 0, n);
            if (bytes.Length > MaxSize)
                throw new LayerException($"{path}: larger than {MaxSize >> 20} MiB");
        }
        return bytes.ToArray();
    }
}
