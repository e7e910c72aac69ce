using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>Something that can run a command in a container: the same description in, the same exit statuses out, whichever it is.</summary>
public abstract class ContainerEngine
{
    /// <summary>What runs plain commands where nobody asks for another: the same for all, so that a layer does not depend on a choice.</summary>
    public static ContainerEngine Default { get; } = new BuiltinEngine();

    /// <exception cref="ContainerException">The container cannot be set up.</exception>
    /// <exception cref="PosixException">Likewise, because a system call failed.</exception>
    public abstract RunningContainer Start(ContainerSpec spec);

    /// <summary>Says what would be made of a description; nothing is made.</summary>
    /// <inheritdoc cref="Start"/>
    public abstract ContainerOutline Outline(ContainerSpec spec);

    /// <summary>The same of a system that would boot: what its init finds and may do, and so do the commands that are entered later.</summary>
    /// <inheritdoc cref="Start"/>
    public ContainerOutline Outline(ContainerSpec spec, ContainerBoot boot)
    {
        ContainerSpec init = boot.Describe(spec, listener: null);
        using (init.Input)
        {
            return Outline(init) with
            {
                ResourceLimits = EnterSteps.LimitsOf(spec),
                Boot = new PlannedBoot(boot.Init is null ? ContainerBoot.Inits : [boot.Init], boot.AllArguments, init.Environment!),
            };
        }
    }

    /// <summary>
    /// Boots the system in the root: its own init becomes process 1. Of the description, what is about a command is for those that are
    /// entered later.
    /// </summary>
    /// <inheritdoc cref="Start"/>
    public abstract BootedContainer Boot(ContainerSpec spec, ContainerBoot boot);

    /// <summary>Runs the command to its end. When <paramref name="cancel"/> fires everything in the container is killed.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled; by then nothing runs any more.</exception>
    /// <inheritdoc cref="Start"/>
    public ContainerResult Run(ContainerSpec spec, CancellationToken cancel = default)
    {
        using RunningContainer container = Start(spec);
        using CancellationTokenRegistration registration = cancel.Register(() => container.Send(Signal.SIGKILL));
        ContainerResult result = container.Wait();
        cancel.ThrowIfCancellationRequested();
        return result;
    }
}

/// <summary>A container at work. Disposing it kills what still runs inside and leaves nothing behind.</summary>
public abstract class RunningContainer : IDisposable
{
    /// <summary>Is told, while <see cref="Wait"/> waits, the number of the container's process 1 as we see it.</summary>
    public Action<int>? Made { get; set; }

    /// <summary>Signals of this process that are passed on to the command while <see cref="Wait"/> waits; null: none. Not of a system that boots.</summary>
    public SignalReader? PassedOn { get; set; }

    /// <summary>Sends a signal to the command; nothing happens when it has ended. May be called from any thread.</summary>
    public abstract void Send(Signal signal);

    /// <summary>Lets a command start that was held (<see cref="ContainerSpec.IsHeld"/>). To be called once, before any signal is sent.</summary>
    public virtual void Release()
    {
    }

    /// <summary>Waits for the end of the command and of everything else in the container.</summary>
    /// <exception cref="ContainerException">It could not be set up.</exception>
    public abstract ContainerResult Wait();

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}
