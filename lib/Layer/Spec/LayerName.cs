using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>What a layer may be called. Its send-stream makes a subvolume of that name, and messages show it.</summary>
public static class LayerName
{
    /// <summary>For messages: what a name must be.</summary>
    public const string Rule = "it names a file, so it is not empty, '.' or '..', has no slash or control character, and is UTF-8 of at most 255 bytes";

    public static bool IsGood(string name) =>
        name is not ("" or "." or "..") && !name.Contains('/', StringComparison.Ordinal) && !name.Any(char.IsControl)
        && name.EnumerateRunes().All(rune => rune != Rune.ReplacementChar) && Encoding.UTF8.GetByteCount(name) <= FileName.MaxLength;
}
