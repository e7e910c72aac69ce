using System.CommandLine;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>The options of container-run that are about booting.</summary>
internal sealed class BootOptions
{
    private const string Clean = "clean", Fast = "fast", Kill = "kill", StandardError = "-";

    private readonly Option<bool> _boot = new("--boot")
    {
        Description = "Boot the image: its own init is process 1. The command runs once the system is up, and the system is stopped after it. Without: a shell on a terminal, else the system runs until it stops itself.",
    };

    private readonly Option<string?> _init = new("--init") { Description = "The init of the image, instead of systemd or /sbin/init.", HelpName = "PATH" };

    private readonly Option<string[]> _initArgument = new("--init-argument")
    {
        Description = "An argument for the init; systemd takes what it takes from a kernel's command line, such as systemd.unit=rescue.target.",
        HelpName = "ARG",
    };

    private readonly Option<string> _bootTimeout = new("--boot-timeout")
    {
        Description = "How long the system may take to be up, such as 90s; then it is killed, with exit status 124.",
        DefaultValueFactory = _ => "90s",
        HelpName = "TIME",
    };

    private readonly Option<string?> _console = new("--console")
    {
        Description = "Where everything goes that the system writes to its console: a file, or - for standard error. Else its last lines are shown when something fails.",
        HelpName = "FILE",
    };

    private readonly Option<bool> _unit = new("--unit") { Description = "Run the command as a unit of systemd instead of beside all units: with its own control group and journal." };

    private readonly Option<bool> _requireUnits = new("--require-units") { Description = "Fail, with exit status 125, when a unit failed while the system came up." };

    private readonly Option<string?> _stop = new("--stop")
    {
        Description = "How the system is stopped: clean stops its units in order, fast ends all processes, kill does so without asking. Else clean where its changes are kept, and fast where not.",
    };

    private readonly Option<string> _stopTimeout = new("--stop-timeout")
    {
        Description = "How long each way to stop may take until the next harder one is tried.",
        DefaultValueFactory = _ => "15s",
        HelpName = "TIME",
    };

    public BootOptions() => _stop.AcceptOnlyFromAmong(Clean, Fast, Kill);

    public IReadOnlyList<Option> All => [_boot, _init, _initArgument, _bootTimeout, _console, _unit, _requireUnits, _stop, _stopTimeout];

    /// <summary>What was asked for; null: no boot.</summary>
    /// <exception cref="UsageException">Options for a boot without --boot.</exception>
    public BootRequest? Of(ParseResult args)
    {
        if (!args.GetValue(_boot))
        {
            return All.Skip(1).FirstOrDefault(option => args.GetResult(option) is { Implicit: false }) is { } option
                ? throw new UsageException($"{option.Name}: only with --boot")
                : null;
        }
        return new BootRequest
        {
            Init = args.GetFilled(_init),
            InitArguments = args.GetValue(_initArgument) ?? [],
            Timeout = Quantity.Duration(args.GetRequiredValue(_bootTimeout), "--boot-timeout"),
            Console = args.GetFilled(_console),
            IsUnit = args.GetValue(_unit),
            RequiresUnits = args.GetValue(_requireUnits),
            Stop = args.GetValue(_stop) switch { Clean => BootStop.Clean, Fast => BootStop.Fast, Kill => BootStop.Kill, _ => null },
            StopTimeout = Quantity.Duration(args.GetRequiredValue(_stopTimeout), "--stop-timeout"),
        };
    }

    /// <summary>Where the console goes; null: nowhere.</summary>
    public static SafeFileHandle? OpenConsole(BootRequest request) => request.Console switch
    {
        null => null,
        StandardError => new SafeFileHandle(2, ownsHandle: false),
        { } path => Files.Open(path, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, 0x1B6 /* 0666 */),
    };
}

/// <summary>How to boot.</summary>
internal sealed record BootRequest
{
    public string? Init { get; init; }
    public IReadOnlyList<string> InitArguments { get; init; } = [];
    public TimeSpan Timeout { get; init; }
    public string? Console { get; init; }
    public bool IsUnit { get; init; }
    public bool RequiresUnits { get; init; }
    public BootStop? Stop { get; init; }
    public TimeSpan StopTimeout { get; init; }

    /// <summary>How long the system may take where no command is to run in it, from its start; that of a command is known to the command. Null: no limit.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>When its time is up, how long it may take for each way to stop; zero: it is killed at once.</summary>
    public TimeSpan Grace { get; init; }
}
