using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// Kills a container when the process that started this tool has ended. The kernel's own signal for that (PR_SET_PDEATHSIG) comes when the thread ends that
/// started us, which in a program with many of them means nothing, and would kill this tool before it has cleaned up.
/// </summary>
internal sealed class ParentWatch
{
    private readonly int _id = CurrentProcess.ParentId;
    private readonly ProcessReference? _parent;

    /// <summary>Remembers who that is. To be made first of all: whoever has ended by then was never seen.</summary>
    /// <exception cref="UsageException">It is in another process namespace, where it cannot be seen.</exception>
    public ParentWatch() =>
        _parent = _id > 0 ? ProcessReference.TryOpen(_id) : throw new UsageException("--die-with-parent: the process that started this one cannot be seen from here");

    /// <summary>From now on, on a thread of its own that ends with the process.</summary>
    public void Over(RunningContainer container)
    {
        // Where it ended before it could be held, its number is nobody's or another's.
        bool hasEnded = _parent is null || CurrentProcess.ParentId != _id;
        Thread watcher = new(() =>
        {
            if (!hasEnded)
                _parent!.WaitForEnd(-1);
            container.Send(Signal.SIGKILL);
        })
        { IsBackground = true };
        watcher.Start();
    }
}
