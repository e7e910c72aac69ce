using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Layerbox.Cmd;

/// <summary>Sizes as people write them: bytes, or with K, M, G, T or P for powers of 1024.</summary>
internal static class Sizes
{
    private const string Suffixes = "KMGTP";

    /// <summary>An option that takes a size, in bytes once parsed.</summary>
    public static Option<long?> Option(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SIZE",
        CustomParser = result => ParseArgument(result, name),
    };

    /// <summary>The bytes that the text means; null when it is no size or does not fit.</summary>
    public static long? Parse(string text)
    {
        int power = text is [.., var last] ? Suffixes.IndexOf(char.ToUpperInvariant(last)) + 1 : 0;
        bool isNumber = long.TryParse(power > 0 ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        long unit = 1L << (10 * power);
        return isNumber && number <= long.MaxValue / unit ? number * unit : null;
    }

    /// <summary>A size for people: "1.5G".</summary>
    public static string Format(ulong bytes)
    {
        int power = 0;
        double value = bytes;
        for (; value >= 1024 && power < Suffixes.Length; power++)
            value /= 1024;
        return power == 0
            ? bytes.ToString(CultureInfo.InvariantCulture)
            : value.ToString(value < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + Suffixes[power - 1];
    }

    private static long? ParseArgument(ArgumentResult result, string name)
    {
        string text = result.Tokens[0].Value;
        long? size = Parse(text);
        if (size is null)
            result.AddError($"{name}: '{text}' is no size: give bytes, or a number with K, M, G, T or P");
        return size;
    }
}
