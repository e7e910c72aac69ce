using System.CommandLine.Parsing;
using System.Collections;
using Layerbox.Posix;

// What the declarations of the container tools use of the package of that name. Of command lines only what is plain is understood here, which is what people and scripts
// write; at anything else the whole module starts over.
namespace System.CommandLine
{
    internal readonly record struct ArgumentArity(int Minimum, int Maximum)
    {
        public static ArgumentArity ZeroOrOne => new(0, 1);
        public static ArgumentArity ZeroOrMore => new(0, int.MaxValue);
    }

    internal abstract class Symbol(string name)
    {
        public string Name { get; } = name;
        public string? Description { get; set; }
        public string? HelpName { get; set; }
        public bool Hidden { get; set; }
        internal List<string>? Given { get; set; }
        internal abstract bool IsList { get; }
    }

    internal abstract class Option(string name, string[] aliases) : Symbol(name)
    {
        internal bool Is(string text) => text == Name || (aliases.Length > 0 && text == aliases[0]);
        internal abstract bool IsFlag { get; }
        internal string[]? Allowed { get; set; }
    }

    internal sealed class Option<T>(string name, params string[] aliases) : Option(name, aliases)
    {
        public Func<ArgumentResult, T>? DefaultValueFactory { get; set; }
        internal override bool IsFlag => typeof(T) == typeof(bool);
        internal override bool IsList => typeof(T) == typeof(string[]);
        public void AcceptOnlyFromAmong(params string[] values) => Allowed = values;
    }

    internal abstract class Argument(string name) : Symbol(name)
    {
        public ArgumentArity Arity { get; set; } = new(1, 1);
        internal override bool IsList => Arity.Maximum > 1;
    }

    internal sealed class Argument<T>(string name) : Argument(name);

    internal sealed class Command(string name, string description) : IEnumerable
    {
        public string Name { get; } = name;
        public string Description { get; } = description;
        public List<Option> Options { get; } = [];
        public List<Argument> Arguments { get; } = [];

        public void Add(Option option) => Options.Add(option);
        public void Add(Argument argument) => Arguments.Add(argument);
        IEnumerator IEnumerable.GetEnumerator() => Options.GetEnumerator();

        /// <exception cref="NotInThisModuleException">It is not plain.</exception>
        internal ParseResult Parse(ReadOnlySpan<string> arguments)
        {
            int place = 0;
            for (int i = 0; i < arguments.Length; i++)
            {
                string text = arguments[i];
                if (text == "--")
                {
                    for (i++; i < arguments.Length; i++)
                        Take(arguments[i], ref place);
                    break;
                }
                if (!text.StartsWith('-') || text == "-")
                {
                    Take(text, ref place);
                    continue;
                }
                string? value = null;
                if (text.IndexOfAny('=', ':') is var at and >= 0)
                    (text, value) = (text[..at], text[(at + 1)..]);
                Option option = Find(text) ?? throw new NotInThisModuleException(text);
                if (option.Given is not null && !option.IsList)
                    throw new NotInThisModuleException(text);
                option.Given ??= [];
                if (option.IsFlag)
                {
                    if (value is not null)
                        throw new NotInThisModuleException(text);
                    continue;
                }
                if (value is null)
                    value = i + 1 < arguments.Length && !arguments[i + 1].StartsWith('-') ? arguments[++i] : throw new NotInThisModuleException(text);
                if (value.Length == 0 || (option.Allowed is { } allowed && Array.IndexOf(allowed, value) < 0))
                    throw new NotInThisModuleException(text);
                option.Given.Add(value);
            }
            foreach (Argument argument in Arguments)
            {
                if ((argument.Given?.Count ?? 0) < argument.Arity.Minimum)
                    throw new NotInThisModuleException(argument.Name);
            }
            return new ParseResult(this);
        }

        private void Take(string text, ref int place)
        {
            if (place >= Arguments.Count)
                throw new NotInThisModuleException(text);
            Argument argument = Arguments[place];
            (argument.Given ??= []).Add(text);
            if (argument.Given.Count >= argument.Arity.Maximum)
                place++;
        }

        private Option? Find(string text)
        {
            foreach (Option option in Options)
            {
                if (option.Is(text))
                    return option;
            }
            return null;
        }
    }

    internal sealed class ParseResult(Command command)
    {
        public CommandResult CommandResult { get; } = new(command);

        public OptionResult? GetResult(Option option) => option.Given is null ? null : new OptionResult(option);

        public T? GetValue<T>(Option<T> option) =>
            typeof(T) == typeof(bool) ? (T)(object)(option.Given is not null)
            : option.Given is not { } given ? option.DefaultValueFactory is { } factory ? factory(null!) : default
            : typeof(T) == typeof(string[]) ? (T)(object)given.ToArray() : (T)(object)given[0];

        public T? GetValue<T>(Argument<T> argument) =>
            argument.Given is not { } given ? default : typeof(T) == typeof(string[]) ? (T)(object)given.ToArray() : (T)(object)given[0];

        public T GetRequiredValue<T>(Option<T> option) => GetValue(option)!;

        public T GetRequiredValue<T>(Argument<T> argument) => GetValue(argument)!;
    }
}

namespace System.CommandLine.Parsing
{
    internal abstract class SymbolResult;

    internal sealed class ArgumentResult : SymbolResult;

    internal sealed class OptionResult(Option option) : SymbolResult
    {
        public Option Option => option;
        public bool Implicit => false;
    }

    internal sealed class CommandResult(Command command)
    {
        public IEnumerable<SymbolResult> Children
        {
            get
            {
                foreach (Option option in command.Options)
                {
                    if (option.Given is not null)
                        yield return new OptionResult(option);
                }
            }
        }
    }
}
