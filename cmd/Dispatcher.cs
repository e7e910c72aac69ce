using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;

namespace Layerbox.Cmd;

/// <summary>Picks the tool from argv[0] or argv[1] and parses its arguments.</summary>
internal static class Dispatcher
{
    public const string Self = "layerbox";

    private const string NoDirective = "--no-directive";
    private const int HelpColumns = 80, MaxHelpColumns = 120;

    // No response files: a path may begin with "@".
    private static readonly ParserConfiguration Parser = new() { ResponseFileTokenReplacer = null };

    public static int Run(string invokedAs, string[] args, Streams io) => Run(invokedAs, args, io, ToolTable.Tools);

    internal static int Run(string invokedAs, string[] args, Streams io, IReadOnlyDictionary<string, Func<Tool>> tools)
    {
        string name = Path.GetFileName(invokedAs);
        if (!tools.ContainsKey(name))
        {
            name = Self;
            if (args is [var first, ..] && !first.StartsWith('-'))
                (name, args) = (first, args[1..]);
        }
        if (name == Self)
            return ToolRun.Guard(Self, io, SelfTool.Declare, tool => RunTool(tool, args, io));
        if (!tools.TryGetValue(name, out Func<Tool>? declare))
            return ToolRun.Complain(io, Self, $"{name}: no such tool; see 'layerbox --list'", ExitStatus.Trouble);
        return ToolRun.Guard(name, io, declare, tool => RunTool(tool, args, io));
    }

    private static int RunTool(Tool tool, string[] args, Streams io)
    {
        Complete(tool.Command);
        // The name is put in front, else the parser would take a first argument equal to the name for it; the hidden option, else it
        // would take a first argument like "[x]" for a directive.
        ParseResult parsed = tool.Command.Parse([tool.Command.Name, NoDirective, .. args], Parser);
        if (parsed.Action is HelpAction help)
        {
            help.MaxWidth = Math.Min(io.ErrColumns ?? HelpColumns, MaxHelpColumns);
            WriteHelp(tool, parsed, help, io);
            return ExitStatus.Success;
        }
        if (UsageErrors.First(parsed) is { } error)
            throw new UsageException(error);
        return tool.Run(parsed, io);
    }

    /// <summary>Adds to a tool's declaration what all tools have.</summary>
    public static void Complete(Command command)
    {
        // Not the parser's own HelpOption: that loads its description in the user's language first, a tenth of the time that a start takes.
        command.Add(new Option<bool>("--help", "-h") { Description = "Show this help.", Action = new HelpAction(), Recursive = true, Arity = ArgumentArity.Zero });
        command.Add(new Option<bool>(NoDirective) { Hidden = true });
        CompleteFlags(command);
        CompleteTexts(command);
    }

    // The parser's own way to an array leads through reflection, which no start needs otherwise.
    private static void CompleteTexts(Command command)
    {
        foreach (Option option in command.Options)
        {
            if (option is Option<string[]> { CustomParser: null } texts)
                texts.CustomParser = Texts;
        }
        foreach (Argument argument in command.Arguments)
        {
            if (argument is Argument<string[]> { CustomParser: null } texts)
                texts.CustomParser = Texts;
        }
        foreach (Command part in command.Subcommands)
            CompleteTexts(part);

        static string[] Texts(ArgumentResult result)
        {
            string[] texts = new string[result.Tokens.Count];
            for (int i = 0; i < texts.Length; i++)
                texts[i] = result.Tokens[i].Value;
            return texts;
        }
    }

    // A flag would otherwise eat a following argument that reads "true" or "false".
    private static void CompleteFlags(Command command)
    {
        foreach (Option option in command.Options)
        {
            if (option is Option<bool> flag)
                flag.Arity = ArgumentArity.Zero;
            else if (option is Option<bool?> choice)
            {
                choice.Arity = ArgumentArity.ExactlyOne;
                choice.HelpName ??= "true|false";
            }
        }
        foreach (Command part in command.Subcommands)
            CompleteFlags(part);
    }

    private static void WriteHelp(Tool tool, ParseResult parsed, HelpAction help, Streams io)
    {
        using StringWriter text = new() { NewLine = "\n" };
        parsed.InvocationConfiguration.Output = text;
        help.Invoke(parsed);
        foreach (string line in text.ToString().TrimEnd().Split('\n'))
            io.WriteLine(line.TrimEnd());
        string example = tool.Examples.GetValueOrDefault(parsed.CommandResult.Command.Name) ?? tool.Example;
        io.WriteLine($"\nExample:\n  {example.Replace("\n", "\n  ", StringComparison.Ordinal)}");
    }
}
