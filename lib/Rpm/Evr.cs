using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>Epoch, version and release: what makes a package newer than another of its name.</summary>
/// <param name="Epoch">0 where none is given.</param>
/// <param name="Version">May be empty in dependencies, which then mean any.</param>
/// <param name="Release">Empty where none is given.</param>
public readonly record struct Evr(uint Epoch, string Version, string Release) : IComparable<Evr>
{
    /// <summary>Reads "epoch:version-release", of which epoch and release may be missing, as in dependencies.</summary>
    /// <exception cref="FormatException">The epoch is no number of 32 bits.</exception>
    public static Evr Parse(ReadOnlySpan<char> text)
    {
        uint epoch = 0;
        int colon = text.IndexOf(':');
        if (colon >= 0)
        {
            if (colon > 0 && !uint.TryParse(text[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out epoch))
                throw new FormatException($"'{text}': the epoch '{text[..colon]}' is no number below 2^32");
            text = text[(colon + 1)..];
        }
        int dash = text.LastIndexOf('-');
        return dash < 0 ? new Evr(epoch, text.ToString(), "") : new Evr(epoch, text[..dash].ToString(), text[(dash + 1)..].ToString());
    }

    /// <summary>Of packages: epoch, then version, then release. An empty release counts as older than any.</summary>
    public int CompareTo(Evr other)
    {
        int order = Epoch.CompareTo(other.Epoch);
        if (order == 0)
            order = RpmVersion.Compare(Version, other.Version);
        return order != 0 ? Math.Sign(order) : RpmVersion.Compare(Release, other.Release);
    }

    /// <summary>"version-release", with "epoch:" before it unless that is 0.</summary>
    public override string ToString()
    {
        string text = Release.Length == 0 ? Version : $"{Version}-{Release}";
        return Epoch == 0 ? text : string.Create(CultureInfo.InvariantCulture, $"{Epoch}:{text}");
    }

    public static bool operator <(Evr a, Evr b) => a.CompareTo(b) < 0;
    public static bool operator >(Evr a, Evr b) => a.CompareTo(b) > 0;
    public static bool operator <=(Evr a, Evr b) => a.CompareTo(b) <= 0;
    public static bool operator >=(Evr a, Evr b) => a.CompareTo(b) >= 0;
}
