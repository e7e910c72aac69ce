using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Has the launcher start the guard of systemd-nspawn in a process namespace of its own, below a process 1 of ours: what nspawn leaves running ends with it, and all
/// of it with us, also while nspawn has not yet made the container whose process 1 listens to us.
/// </summary>
internal sealed class NspawnLaunch : IDisposable
{
    // linux/sched.h
    private const ulong CLONE_CLEAR_SIGHAND = 0x1_0000_0000, CLONE_NEWPID = 0x2000_0000;

    private readonly SafeFileHandle _reports, _control;
    private readonly Lock _lock = new();

    /// <param name="executable">Launcher and guard.</param>
    /// <param name="arguments">The guard's.</param>
    /// <param name="nothing">Its standard input and output.</param>
    /// <param name="complaints">Its standard error.</param>
    /// <param name="inherited">What it gets as descriptors from 3 on.</param>
    public NspawnLaunch(string executable, IReadOnlyList<string> arguments, SafeFileHandle nothing, SafeFileHandle complaints, IReadOnlyList<SafeFileHandle> inherited)
    {
        PlanWriter writer = new();
        byte[] plan = writer.Finish(CLONE_CLEAR_SIGHAND | CLONE_NEWPID, new StepList(writer), new StepList(writer),
            new PlannedCommand([executable], ["layerbox", .. arguments], NspawnArguments.Environment, inherited.Count));
        (_reports, SafeFileHandle reportsEnd) = MessageSockets.Make();
        (SafeFileHandle controlEnd, _control) = Pipes.Make();
        try
        {
            using (reportsEnd)
            using (controlEnd)
            {
                Process = ChildProcess.Start(new ProgramStart(executable, ContainerEntry.Launcher, ContainerEntry.Version)
                {
                    Argument0 = "layerbox",
                    Environment = [],
                    Input = nothing,
                    Output = nothing,
                    Error = complaints,
                    Inherited = [reportsEnd, controlEnd, .. inherited],
                });
            }
            Files.Write(_control, plan, "control pipe");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The launcher, which ends last.</summary>
    public ChildProcess Process { get; }

    /// <summary>Ends everything. May be called from any thread, and again.</summary>
    public void End()
    {
        lock (_lock)
            _control.Dispose();
    }

    /// <summary>How it ended: that of nspawn, or why there was none; null when all was killed. Waits for the end.</summary>
    public InitReport? Outcome()
    {
        InitReport? last = null;
        while (InitReport.Receive(_reports, out SafeFileHandle? descriptor) is { } report)
        {
            descriptor?.Dispose();
            if (report.What is not (InitReport.Kind.Made or InitReport.Kind.Started))
                last ??= report;
        }
        return last;
    }

    public void Dispose()
    {
        End();
        _reports.Dispose();
    }
}
