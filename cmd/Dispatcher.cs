using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>Picks the tool from argv[0] or argv[1], parses its arguments and turns what it throws into one line and an exit status.</summary>
internal static class Dispatcher
{
    public const string Self = "layerbox";

    // No response files: a path may begin with "@".
    private static readonly ParserConfiguration Parser = new() { ResponseFileTokenReplacer = null };

    public static int Run(string invokedAs, string[] args, Streams io)
    {
        string name = Path.GetFileName(invokedAs);
        if (!ToolTable.Tools.ContainsKey(name))
        {
            if (args is [])
                return Complain(io, Self, "no tool given; see 'layerbox --list'", ExitStatus.Trouble);
            (name, args) = (args[0], args[1..]);
        }
        if (!ToolTable.Tools.TryGetValue(name, out Func<Tool>? declare))
            return Complain(io, Self, $"{name}: no such tool; see 'layerbox --list'", ExitStatus.Trouble);
        return Guard(name, io, () => RunTool(name, declare(), args, io));
    }

    private static int RunTool(string name, Tool tool, string[] args, Streams io)
    {
        tool.Command.Add(new HelpOption("--help", "-h"));
        // The name is always put in front: without it the parser would take a first argument equal to the name for it.
        ParseResult parsed = tool.Command.Parse([name, .. args], Parser);
        if (parsed.Action is HelpAction help)
        {
            using StringWriter text = new();
            parsed.InvocationConfiguration.Output = text;
            help.Invoke(parsed);
            io.WriteLine($"{text.ToString().TrimEnd()}\n\nExample:\n  {tool.Example.Replace("\n", "\n  ", StringComparison.Ordinal)}");
            return ExitStatus.Success;
        }
        if (UnknownOption(parsed) is { } option)
            throw new UsageException($"unknown option '{option}'");
        if (parsed.Errors is [var error, ..])
            throw new UsageException(error.Message);
        return tool.Run(parsed, io);
    }

    private static int Guard(string name, Streams io, Func<int> run)
    {
        try
        {
            int status = run();
            io.Out.Flush();
            return status;
        }
        catch (UsageException e)
        {
            Complain(io, name, e.Message, ExitStatus.Trouble);
            io.Err.WriteLine($"Try '{name} --help' for more information.");
            return ExitStatus.Trouble;
        }
        catch (PosixException e) when (e.Errno == Errno.EPIPE && e.Path == FdStream.StandardOutput.Name)
        {
            return ExitStatus.Trouble;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            return Complain(io, name, e.Message, ExitStatus.Trouble);
        }
    }

    // The parser hands a mistyped option to the next free argument; before "--" we take nothing that looks like one.
    private static string? UnknownOption(ParseResult parsed) =>
        parsed.Tokens
            .TakeWhile(token => token.Type != TokenType.DoubleDash)
            .FirstOrDefault(token => token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value[0] == '-'
                && !parsed.CommandResult.Children.OfType<OptionResult>().Any(o => o.Tokens.Contains(token)))
            ?.Value;

    private static int Complain(Streams io, string name, string message, int status)
    {
        io.Err.WriteLine(PathText.Printable($"{name}: {message}"));
        return status;
    }
}
