using System.CommandLine;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>The options that say what a command's terminal is.</summary>
internal sealed class TerminalOptions
{
    private readonly Option<bool> _tty = new("--tty", "-t") { Description = "Run the command on a terminal of its own, even when standard input or output is none. Without: when both are." };
    private readonly Option<bool> _noTty = new("--no-tty") { Description = "Hand standard input, output and error in as they are, even when they are a terminal." };
    private readonly Option<bool> _shell = new("--shell") { Description = "Run the user's shell in the image, else bash, else sh, whatever the layer's config says." };

    public void AddTo(Command declared)
    {
        foreach (Option<bool> option in (Option<bool>[])[_tty, _noTty, _shell])
            declared.Add(option);
    }

    /// <param name="args">What was typed.</param>
    /// <param name="command">The command in it.</param>
    /// <param name="io">What we have ourselves.</param>
    public TerminalChoice Read(ParseResult args, IReadOnlyList<string> command, Streams io)
    {
        (bool wanted, bool unwanted, bool shell) = (args.GetValue(_tty), args.GetValue(_noTty), args.GetValue(_shell));
        if (wanted && unwanted)
            throw new UsageException("--tty and --no-tty: one of the two");
        if (shell && command.Count > 0)
            throw new UsageException("--shell and a command: one of the two");
        return new TerminalChoice(wanted || (!unwanted && io.InIsTerminal && io.OutIsTerminal), shell);
    }
}

/// <param name="HasTerminal">The command gets one of its own.</param>
/// <param name="IsShell">It is a shell.</param>
internal sealed record TerminalChoice(bool HasTerminal = false, bool IsShell = false)
{
    /// <summary>All that gets in of our own environment: what the terminal understands.</summary>
    public IEnumerable<string> Environment()
    {
        const string Type = "TERM", Colors = "COLORTERM", Unknown = "dumb";
        if (!HasTerminal)
            yield break;
        yield return $"{Type}={EnvironmentVariable.Get(Type) ?? Unknown}";
        if (EnvironmentVariable.Get(Colors) is { } colors)
            yield return $"{Colors}={colors}";
    }

    /// <summary>Standard error where it was sent somewhere else than standard output and is no terminal: "2>errors" means what it says. Else null.</summary>
    public static SafeFileHandle? ErrorElsewhere()
    {
        SafeFileHandle error = FdStream.StandardError.Handle;
        if (StandardStreams.IsTerminal(error))
            return null;
        FileStatus one = Files.Status(error), other = Files.Status(FdStream.StandardOutput.Handle);
        return (one.DevMajor, one.DevMinor, one.Inode) == (other.DevMajor, other.DevMinor, other.Inode) ? null : error;
    }
}
