using System.Globalization;
using System.Text;

namespace Layerbox.Tests.Compression;

/// <summary>Inputs for codecs: text that compresses, and what real programs make of it.</summary>
internal static class Samples
{
    public static byte[] Text(int length)
    {
        StringBuilder text = new();
        Random random = new(42);
        while (text.Length < length)
            text.Append(CultureInfo.InvariantCulture, $"line {text.Length} of {random.Next(100_000)}\n");
        return Encoding.UTF8.GetBytes(text.ToString(0, length));
    }

    /// <summary>What a line of shell prints, run in a folder with these files.</summary>
    public static byte[] Make(string command, params (string Name, byte[] Bytes)[] files)
    {
        using TempFolder folder = new();
        foreach ((string name, byte[] bytes) in files)
            File.WriteAllBytes(folder / name, bytes);
        Programs.Shell($"cd '{folder.Path}'; {{ {command}; }} > .out");
        return File.ReadAllBytes(folder / ".out");
    }
}
