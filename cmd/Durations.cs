using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Layerbox.Cmd;

/// <summary>Time spans as people write them: seconds, or with s, m, h or d.</summary>
internal static class Durations
{
    private const long Longest = 100L * 365 * 24 * 3600;

    /// <summary>An option that takes a time span.</summary>
    public static Option<TimeSpan?> Option(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "DURATION",
        CustomParser = result => ParseArgument(result, name),
    };

    /// <summary>The span that the text means; null when it is none, or longer than a century.</summary>
    public static TimeSpan? Parse(string text)
    {
        long unit = text is [.., var last] ? last switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 24 * 3600, _ => 0 } : 0;
        bool isNumber = long.TryParse(unit > 0 ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        return isNumber && number <= Longest / Math.Max(unit, 1) ? TimeSpan.FromSeconds(number * Math.Max(unit, 1)) : null;
    }

    private static TimeSpan? ParseArgument(ArgumentResult result, string name)
    {
        string text = result.Tokens[0].Value;
        TimeSpan? span = Parse(text);
        if (span is null)
            result.AddError($"{name}: '{text}' is no duration: give seconds, or a number with s, m, h or d");
        return span;
    }
}
