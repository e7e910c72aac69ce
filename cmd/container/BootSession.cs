using System.Globalization;
using Layerbox.Nspawn;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// A system from its boot to its end, with or without a command in between. Signals are for the command while there is one; before and without,
/// those that ask to end stop the system: the first one as it was told to be stopped, each further one the next harder way.
/// </summary>
internal sealed class BootSession(BootedContainer system, BootRequest boot, IReadOnlyList<string> command, BootStop stop, Streams io) : RunningContainer
{
    private const int LinesShown = 12;

    private readonly Lock _lock = new();
    private RunningContainer? _command;
    private Signal? _endedBy;
    private int _harder;
    private UnitCommand? _unit;

    public override void Send(Signal signal)
    {
        lock (_lock)
        {
            // Never one that is passed on: whoever sends it wants the end of everything.
            if (signal == Signal.SIGKILL)
            {
                _endedBy ??= signal;
                system.Ask(BootStop.Kill);
            }
            // A unit is systemd's child: killing systemd-run would only leave it alone.
            else if (_unit is { } unit)
                new Thread(() => Ask(unit.Kill(signal))) { IsBackground = true }.Start();
            else if (_command is not null)
                _command.Send(signal);
            else if (signal is Signal.SIGTERM or Signal.SIGINT or Signal.SIGHUP or Signal.SIGQUIT)
                StopBecauseOf(signal);
        }
    }

    public override ContainerResult Wait()
    {
        long start = Environment.TickCount64;
        TimeSpan? time = command.Count == 0 ? boot.Time : null;
        bool isShort = time < boot.Timeout;
        if (!system.WaitUntilReady(isShort ? time!.Value : boot.Timeout))
            return NotUp(isShort);
        Made?.Invoke(system.Process1);
        if (boot.RequiresUnits && FailedUnits() is { Length: > 0 } failed)
            return Fail($"units failed: {failed}", ExitStatus.ContainerFailed, system.LastLines(LinesShown));
        if (command.Count == 0)
            return time is null || system.HasEnded(Left(time.Value, start)) ? system.Wait() : TimeIsUp();
        ContainerResult? result = RunCommand();
        if (result is null)
            return Interrupted();
        system.Stop(stop, boot.StopTimeout);
        // The limit is the system's, and so is the count of those that it killed.
        return result with { OutOfMemory = system.Wait().OutOfMemory };
    }

    protected override void Dispose(bool disposing) => system.Dispose();

    // The command's end is the end: null when a signal came first.
    private ContainerResult? RunCommand()
    {
        RunningContainer running;
        UnitCommand? unit = boot.IsUnit ? new UnitCommand() : null;
        lock (_lock)
        {
            if (_endedBy is not null)
                return null;
            _unit = unit;
            running = _command = system.Enter(spec => unit is null ? spec with { Command = command } : unit.Wrap(spec, command));
        }
        using (running)
        {
            ContainerResult result = running.Wait();
            lock (_lock)
                (_command, _unit) = (null, null);
            if (system.HasEnded(TimeSpan.Zero))
                io.Err.WriteLine($"{ContainerRun.Name}: the system ended while the command ran");
            else if (unit is not null && !result.TimedOut)
                return unit.Judge(result, Ask, reason => io.Err.WriteLine(PathText.Printable($"{ContainerRun.Name}: {reason}")));
            return result;
        }
    }

    private ContainerResult TimeIsUp()
    {
        system.Stop(boot.Grace > TimeSpan.Zero ? stop : BootStop.Kill, boot.Grace);
        return system.Wait() with { TimedOut = true };
    }

    // As much as a thread can be waited for at once: days, at which nobody looks.
    private static TimeSpan Left(TimeSpan time, long start) =>
        TimeSpan.FromMilliseconds(Math.Clamp(time.TotalMilliseconds - (Environment.TickCount64 - start), 0, int.MaxValue));

    private ContainerResult NotUp(bool isTimeUp)
    {
        lock (_lock)
        {
            if (_endedBy is not null)
                return Interrupted();
        }
        if (!system.HasEnded(TimeSpan.Zero))
        {
            if (isTimeUp)
                return TimeIsUp();
            string doing = system.Status is { Length: > 0 } status ? $" ({status})" : "";
            return Fail($"the system is not up after {Seconds(boot.Timeout)} s{doing}", ContainerResult.TimedOutStatus, system.LastLines(LinesShown));
        }
        ContainerResult ended = system.Wait();
        // One that was booted to do its work and end has done so.
        if (ended.NotStarted is not null || (command.Count == 0 && !boot.RequiresUnits))
            return ended;
        return Fail($"the system ended before it was up: {ended.Exit}", ExitStatus.ContainerFailed, system.LastLines(LinesShown));
    }

    private ContainerResult Interrupted()
    {
        ContainerResult ended = system.Wait();
        return command.Count == 0 ? ended : new ContainerResult(ProcessExit.Killed(_endedBy!.Value));
    }

    private ContainerResult Fail(string reason, int status, IReadOnlyList<string> console)
    {
        io.Err.WriteLine(PathText.Printable($"{ContainerRun.Name}: {reason}"));
        if (boot.Console is null)
        {
            foreach (string line in console)
                io.Err.WriteLine($"  console: {line}");
        }
        system.Stop(BootStop.Kill, boot.StopTimeout);
        return new ContainerResult(ProcessExit.Exited(status)) { OutOfMemory = system.Wait().OutOfMemory };
    }

    // On a thread of its own: the grace is waited for there.
    private void StopBecauseOf(Signal signal)
    {
        if (_endedBy is null)
            new Thread(() => system.Stop(stop, boot.StopTimeout)) { IsBackground = true }.Start();
        else if (stop + ++_harder <= BootStop.Kill)
            system.Ask(stop + _harder);
        _endedBy ??= signal;
    }

    private string FailedUnits()
    {
        string said = Ask(["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager"]);
        return string.Join(", ", said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
    }

    // What a program in the system answers.
    private string Ask(IReadOnlyList<string> question) => EnteredQuestion.Ask(system, question);

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString(CultureInfo.InvariantCulture);
}
