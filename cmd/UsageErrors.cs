using System.CommandLine;
using System.CommandLine.Parsing;

namespace Layerbox.Cmd;

/// <summary>What is wrong with a command line, in our words: one line, lower case, naming what the user typed.</summary>
internal static class UsageErrors
{
    public static string? First(ParseResult parsed)
    {
        if (UnknownOption(parsed) is { } option)
            return $"unknown option '{option}'";
        // The parser reports a missing argument before the surplus one that explains it, and a subcommand that is not one as missing.
        if (MissingCommand(parsed) is { } missing)
            return missing;
        if (parsed.UnmatchedTokens is [var surplus, ..])
            return $"unexpected argument '{surplus}'";
        return parsed.Errors is [var error, ..] ? Reword(error, parsed) : null;
    }

    // The parser hands a mistyped option to the next free argument; before "--" we take nothing that looks like one.
    private static string? UnknownOption(ParseResult parsed)
    {
        foreach (Token token in parsed.Tokens)
        {
            if (token.Type == TokenType.DoubleDash)
                break;
            if (token.Type == TokenType.Argument && token.Value.Length > 1 && token.Value[0] == '-' && !IsValueOfOption(token, parsed))
                return token.Value.StartsWith("--", StringComparison.Ordinal) ? token.Value.Split('=')[0] : token.Value;
        }
        return null;
    }

    private static bool IsValueOfOption(Token token, ParseResult parsed) =>
        Enclosing(parsed.CommandResult).SelectMany(c => c.Children).OfType<OptionResult>().SelectMany(o => o.Tokens).Contains(token);

    private static string? MissingCommand(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (command.Subcommands.Count == 0 || command.Action is not null)
            return null;
        string choice = string.Join(", ", command.Subcommands.Select(c => c.Name));
        return parsed.UnmatchedTokens is [var wrong, ..] ? $"'{wrong}' is not one of {choice}" : $"missing command: one of {choice}";
    }

    private static string Reword(ParseError error, ParseResult parsed)
    {
        const StringComparison Exact = StringComparison.Ordinal;
        Culprit culprit = Culprit.Of(error.SymbolResult);
        return error.Message switch
        {
            var m when m.StartsWith("Required argument missing for option", Exact) => $"{culprit.Name} needs a value",
            var m when m.StartsWith("Required argument missing for command", Exact) => $"missing argument '{FirstMissing(parsed)}'",
            var m when m.StartsWith("Option '", Exact) && m.EndsWith("is required.", Exact) => $"missing option '{m.Split('\'')[1]}'",
            var m when m.StartsWith("Option '", Exact) => $"{culprit.Name} is given more than once",
            var m when m.Contains("Must be one of:", Exact) =>
                $"{culprit.Name}: '{culprit.Values.First(v => !culprit.Allowed.Contains(v))}' is not one of {string.Join(", ", culprit.Allowed)}",
            var m when m.StartsWith("Cannot parse argument", Exact) => $"{culprit.Name}: '{culprit.Values[^1]}' is not {culprit.Kind}",
            // A tool's own validator already speaks our language.
            var m => m,
        };
    }

    private static string FirstMissing(ParseResult parsed) =>
        parsed.CommandResult.Command.Arguments
            .First(a => a.Arity.MinimumNumberOfValues > (parsed.GetResult(a)?.Tokens.Count ?? 0))
            .Name;

    private static IEnumerable<CommandResult> Enclosing(CommandResult command)
    {
        for (SymbolResult? at = command; at is not null; at = at.Parent)
        {
            if (at is CommandResult result)
                yield return result;
        }
    }

    /// <summary>The option or argument that an error is about.</summary>
    private sealed record Culprit(string Name, Type? Type, string[] Values, string[] Allowed)
    {
        public string Kind
        {
            get
            {
                Type? type = Type?.GetElementType() ?? Type;
                type = type is null ? null : Nullable.GetUnderlyingType(type) ?? type;
                return type == typeof(int) || type == typeof(long) || type == typeof(uint) || type == typeof(ulong)
                    ? "a whole number in range"
                    : type == typeof(double) ? "a number" : type == typeof(Guid) ? "a uuid" : "valid";
            }
        }

        public static Culprit Of(SymbolResult? result) => result switch
        {
            ArgumentResult { Parent: OptionResult of } => Of(of),
            OptionResult of => new($"option '{of.Option.Name}'", of.Option.ValueType, Texts(of), Surface.Allowed(of.Option)),
            ArgumentResult of => new($"argument '{of.Argument.Name}'", of.Argument.ValueType, Texts(of), Surface.Allowed(of.Argument)),
            _ => new("", null, [], []),
        };

        private static string[] Texts(SymbolResult result) => [.. result.Tokens.Select(token => token.Value)];
    }
}
