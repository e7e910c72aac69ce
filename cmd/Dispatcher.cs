using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>Picks the tool from argv[0] or argv[1], parses its arguments and turns what it throws into one line and an exit status.</summary>
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
            return Guard(Self, io, SelfTool.Declare, args);
        if (!tools.TryGetValue(name, out Func<Tool>? declare))
            return Complain(io, Self, $"{name}: no such tool; see 'layerbox --list'", ExitStatus.Trouble);
        return Guard(name, io, declare, args);
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
        io.WriteLine($"\nExample:\n  {tool.Example.Replace("\n", "\n  ", StringComparison.Ordinal)}");
    }

    private static int Guard(string name, Streams io, Func<Tool> declare, string[] args)
    {
        int trouble = ExitStatus.Trouble;
        try
        {
            Tool tool = declare();
            trouble = tool.TroubleStatus;
            int status = RunTool(tool, args, io);
            io.Out.Flush();
            return status;
        }
        catch (PosixException e) when (e.Path == FdStream.StandardOutput.Name)
        {
            // What is still in the buffer could only fail again.
            if (e.Errno != Errno.EPIPE)
                return Complain(io, name, e.Message, trouble);
            io.Interruption.DeathBy = Signal.SIGPIPE;
            return ExitStatus.Killed(Signal.SIGPIPE);
        }
        catch (Exception e)
        {
            FlushWhatThereIs(io);
            return Explain(name, e, io, trouble);
        }
    }

    private static int Explain(string name, Exception e, Streams io, int trouble)
    {
        switch (e)
        {
            case OperationCanceledException when io.Interruption.Signal is { } signal:
                io.Interruption.DeathBy = signal;
                return ExitStatus.Killed(signal);
            case UsageException:
                Complain(io, name, e.Message, trouble);
                io.Err.WriteLine($"Try '{name} --help' for more information.");
                return trouble;
            // The libraries' own exceptions are IOExceptions.
            case IOException or InvalidDataException or UnauthorizedAccessException:
                return Complain(io, name, e.Message, trouble);
            // What could not be had the first time that it was wanted, such as a thread.
            case TypeInitializationException { InnerException: { } inner }:
                return Explain(name, inner, io, trouble);
            case OutOfMemoryException:
                return Complain(io, name, "out of memory", trouble);
            default:
                Complain(io, name, $"internal error: {e.GetType().Name}: {e.Message}", ExitStatus.Internal);
                io.Err.WriteLine($"{e.StackTrace}\nThis is a bug in layerbox {Versions.Own}.");
                return ExitStatus.Internal;
        }
    }

    // What a tool printed before it failed is good, and comes before the error. That the tool failed is the news, not that this does too.
    private static void FlushWhatThereIs(Streams io)
    {
        try
        {
            io.Out.Flush();
        }
        catch (PosixException)
        {
        }
    }

    private static int Complain(Streams io, string name, string message, int status)
    {
        io.Err.WriteLine(PathText.Printable($"{name}: {message}"));
        return status;
    }
}
