using System.CommandLine;

namespace Layerbox.Cmd;

/// <summary>A tool: its declaration, an example for its help, and what runs once its arguments are good.</summary>
/// <param name="Command">Name, description, arguments and options.</param>
/// <param name="Example">One or more command lines that work as written, without a prompt sign.</param>
/// <param name="Run">Does the work; the result is the exit status. Errors are thrown.</param>
internal sealed record Tool(Command Command, string Example, Func<ParseResult, Streams, int> Run)
{
    /// <summary>The exit status of trouble, for a tool that passes on those of another program.</summary>
    public int TroubleStatus { get; init; } = ExitStatus.Trouble;

    /// <summary>Of its commands, by their names: examples for the help of each.</summary>
    public IReadOnlyDictionary<string, string> Examples { get; init; } = new Dictionary<string, string>();
}

/// <summary>The user asked for something that makes no sense: exit status 2 and a hint at --help.</summary>
internal sealed class UsageException(string message) : Exception(message);
