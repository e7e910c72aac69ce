using System.CommandLine;

namespace Layerbox.Cmd.Containers;

/// <summary>Options that name a file or folder: an empty value, as of a variable that is not set, is told by the option's name.</summary>
internal static class FilledOption
{
    /// <exception cref="UsageException">It is empty.</exception>
    public static string? GetFilled(this ParseResult args, Option<string?> option) =>
        args.GetValue(option) is var value && value != "" ? value : throw new UsageException($"option '{option.Name}' is empty");
}
