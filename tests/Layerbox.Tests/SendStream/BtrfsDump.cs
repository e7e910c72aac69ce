using System.Text;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>What the btrfs of this machine prints of streams, and what we print in its place.</summary>
internal static class BtrfsDump
{
    private static TextFlavour? s_flavour;

    /// <summary>The newer ones have no "data=" before values of xattrs.</summary>
    public static TextFlavour Flavour => s_flavour ??= Encoding.Latin1.GetString(Theirs(StreamScript.Make("subvol v; set_xattr f user.a 1; end"))).Contains("data=", StringComparison.Ordinal)
        ? TextFlavour.Progs62
        : TextFlavour.Current;

    public static byte[] Theirs(byte[] stream, string zone = "UTC")
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder / "stream", stream);
        Programs.Shell($"TZ={zone} btrfs receive --dump -f {folder / "stream"} > {folder / "dump"}");
        return File.ReadAllBytes(folder / "dump");
    }

    public static byte[] Ours(byte[] stream, TextFlavour? flavour = null, UtcOffset? zone = null, bool onlyFirst = false)
    {
        using MemoryStream output = new();
        new SendStreamText(output, flavour ?? Flavour, zone ?? (_ => 0)).WriteAll(new SendStreamReader(new MemoryStream(stream)), onlyFirst);
        return output.ToArray();
    }
}
