using Layerbox.Posix;

namespace Layerbox.Nspawn.Boot;

/// <summary>How a booted system is asked to end.</summary>
public enum BootStop
{
    /// <summary>Stops all units in their order, as poweroff does.</summary>
    Clean,

    /// <summary>Ends all processes, with SIGTERM first, without stopping units: for systems whose changes are thrown away.</summary>
    Fast,

    /// <summary>At once and without a word.</summary>
    Kill,
}

/// <summary>A container whose process 1 is the image's own init, at work. Disposing it kills what still runs inside and leaves nothing behind.</summary>
public sealed class BootedContainer : IDisposable
{
    // man systemd, "Signals": SIGRTMIN+4 starts poweroff.target, SIGRTMIN+14 powers off at once. glibc's SIGRTMIN is 34.
    private const Signal SIGRTMIN = (Signal)34, PowerOff = SIGRTMIN + 4, PowerOffAtOnce = SIGRTMIN + 14;

    private readonly RunningContainer _container;
    private readonly BootListener _listener;
    private readonly Func<ContainerDescription, ContainerSpec, RunningContainer> _enter;
    private readonly ContainerSpec _commands;
    private readonly Thread _waiter;
    private ContainerResult? _result;
    private Exception? _failure;

    internal BootedContainer(RunningContainer container, BootListener listener, ContainerSpec commands, Func<ContainerDescription, ContainerSpec, RunningContainer> enter)
    {
        (_container, _listener, _commands, _enter) = (container, listener, commands, enter);
        _waiter = new Thread(WaitForEnd) { IsBackground = true };
        _waiter.Start();
    }

    /// <summary>What the system last said that it is doing.</summary>
    public string? Status => _listener.Status;

    /// <summary>The number of its process 1 outside; 0 while there is none.</summary>
    public int Process1 => _listener.Description?.Process1 ?? 0;

    /// <summary>Waits until the system says that it is up; false when that takes longer, or when it has ended before.</summary>
    /// <exception cref="ContainerException">The container cannot be set up.</exception>
    public bool WaitUntilReady(TimeSpan timeout)
    {
        (bool isReady, bool hasEnded) = _listener.Wait((int)Math.Min(timeout.TotalMilliseconds, int.MaxValue));
        if (hasEnded)
            Wait();
        return isReady && !hasEnded;
    }

    /// <summary>The last lines that the system wrote to its console.</summary>
    public IReadOnlyList<string> LastLines(int count) => _listener.LastLines(count);

    /// <summary>Whether it has ended within so much time.</summary>
    public bool HasEnded(TimeSpan within) => _waiter.Join(within);

    /// <summary>
    /// Runs a command in the system, as its container was described and with what is different in <paramref name="command"/>. See
    /// <see cref="BuiltinEngine.Enter"/>.
    /// </summary>
    /// <exception cref="ContainerException">The system has ended.</exception>
    public RunningContainer Enter(Func<ContainerSpec, ContainerSpec> command) =>
        _enter(_listener.Description ?? throw new ContainerException($"{_commands.Root}: the system has not started"), command(_commands));

    /// <summary>Waits for the end of the system: how its init ended.</summary>
    /// <inheritdoc cref="WaitUntilReady" path="/exception"/>
    public ContainerResult Wait()
    {
        _waiter.Join();
        if (_failure is not null)
            throw _failure is ContainerException ? new ContainerException(_failure.Message) : _failure;
        return _result!;
    }

    /// <summary>Asks the system to end; comes back at once.</summary>
    public void Ask(BootStop how) => _container.Send(how switch { BootStop.Clean => PowerOff, BootStop.Fast => PowerOffAtOnce, _ => Signal.SIGKILL });

    /// <summary>Ends the system, and where it does not end within the grace goes on to the next harder way.</summary>
    /// <returns>The way that did it.</returns>
    /// <inheritdoc cref="WaitUntilReady" path="/exception"/>
    public BootStop Stop(BootStop how, TimeSpan grace)
    {
        while (true)
        {
            Ask(how);
            if (how == BootStop.Kill || HasEnded(grace))
                break;
            how++;
        }
        Wait();
        return how;
    }

    public void Dispose()
    {
        Ask(BootStop.Kill);
        _waiter.Join();
        _container.Dispose();
        _listener.Dispose();
    }

    private void WaitForEnd()
    {
        try
        {
            _result = _container.Wait();
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            _failure = e;
        }
        _listener.End();
    }
}
