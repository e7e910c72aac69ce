using System.CommandLine;
using System.CommandLine.Completions;

namespace Layerbox.Cmd;

/// <summary>A command as a reader sees it; man pages and completion scripts are written from this and so from the one declaration.</summary>
/// <param name="Path">"rpm-repo-snapshot" or "rpm-repo-snapshot sync".</param>
internal sealed record Surface(string Path, string Description, Surface.Value[] Arguments, Surface.Choice[] Options, Surface[] Commands)
{
    /// <summary>The first sentence, without its full stop.</summary>
    public string Summary => Description.Split(". ", 2)[0].Split('\n')[0].TrimEnd('.');

    /// <summary>This command and all below it.</summary>
    public IEnumerable<Surface> All => [this, .. Commands.SelectMany(command => command.All)];

    public static Surface Of(Tool tool)
    {
        Dispatcher.Complete(tool.Command);
        return Of(tool.Command, tool.Command.Name);
    }

    /// <summary>The values that an argument or option is restricted to; none when it takes anything.</summary>
    public static string[] Allowed(Symbol symbol) => [.. symbol.GetCompletions(CompletionContext.Empty).Select(item => item.Label)];

    private static Surface Of(Command command, string path) => new(
        path,
        command.Description ?? "",
        [.. command.Arguments.Where(a => !a.Hidden).Select(Value.Of)],
        [.. command.Options.Where(o => !o.Hidden).Select(Choice.Of).OrderBy(o => o.Name, StringComparer.Ordinal)],
        [.. command.Subcommands.Where(c => !c.Hidden).Select(c => Of(c, $"{path} {c.Name}"))]);

    /// <summary>A positional argument.</summary>
    internal sealed record Value(string Name, string Description, string[] Allowed, bool IsRequired, bool Repeats)
    {
        public static Value Of(Argument argument) => new(
            argument.HelpName ?? argument.Name,
            argument.Description ?? "",
            Surface.Allowed(argument),
            argument.Arity.MinimumNumberOfValues > 0,
            argument.Arity.MaximumNumberOfValues > 1);
    }

    /// <summary>An option; a flag has no <see cref="ValueName"/>.</summary>
    internal sealed record Choice(string Name, string[] Aliases, string? ValueName, string Description, string[] Allowed, string? Default, bool IsRequired, bool Repeats)
    {
        /// <summary>All spellings, the short ones first as usage texts have them.</summary>
        public IEnumerable<string> Spellings => Aliases.Append(Name).OrderBy(name => name.StartsWith("--", StringComparison.Ordinal));

        public static Choice Of(Option option)
        {
            bool isFlag = option.Arity.MaximumNumberOfValues == 0;
            string[] allowed = isFlag ? [] : Surface.Allowed(option);
            return new(
                option.Name,
                [.. option.Aliases.Order(StringComparer.Ordinal)],
                isFlag ? null : option.HelpName ?? (allowed is [] ? option.Name.TrimStart('-') : string.Join('|', allowed)),
                option.Description ?? "",
                allowed,
                isFlag || !option.HasDefaultValue ? null : option.GetDefaultValue()?.ToString() is { Length: > 0 } text ? text : null,
                option.Required,
                option.Arity.MaximumNumberOfValues > 1);
        }
    }
}
