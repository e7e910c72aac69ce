using Layerbox.Nspawn.Cgroups;
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

    // Generous: nothing is left to do but to take the container down.
    private static readonly TimeSpan EndingTime = TimeSpan.FromSeconds(20);

    private readonly SafeFileHandle _reports, _control;
    private readonly Lock _lock = new();
    private readonly StepList _setup;
    private readonly OutOfMemoryWatch _outOfMemory;
    private InitReport? _outcome;
    private bool _hasEnded;

    /// <param name="executable">Launcher and guard.</param>
    /// <param name="arguments">The guard's.</param>
    /// <param name="nothing">Its standard input and output.</param>
    /// <param name="complaints">Its standard error.</param>
    /// <param name="inherited">What it gets as descriptors from 3 on.</param>
    /// <param name="limits">What nspawn and all in the container may use together.</param>
    /// <exception cref="ContainerException">It cannot be limited so here.</exception>
    public NspawnLaunch(string executable, IReadOnlyList<string> arguments, SafeFileHandle nothing, SafeFileHandle complaints, IReadOnlyList<SafeFileHandle> inherited, ContainerLimits limits)
    {
        PlanWriter writer = new();
        _setup = new StepList(writer);
        CgroupSteps groups = new(writer, _setup);
        // nspawn looks for its group where the host has it.
        groups.Add(limits, isRoot: false);
        writer.CgroupTrees = [.. groups.Folders.Values];
        _outOfMemory = groups.OutOfMemory;
        byte[] plan = writer.Finish(CLONE_CLEAR_SIGHAND | CLONE_NEWPID, _setup, new StepList(writer),
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
        while (!_hasEnded)
            HearOne();
        return _outcome;
    }

    /// <summary>Whether the kernel killed something for want of memory; to be asked when process 1 of the container has ended, and nobody else may need the groups afterwards.</summary>
    public bool WasOutOfMemory()
    {
        // nspawn still has to take down what it made; what hangs is killed.
        long end = Environment.TickCount64 + (long)EndingTime.TotalMilliseconds;
        while (!_hasEnded && MessageSockets.Wait(_reports, (int)Math.Max(end - Environment.TickCount64, 0)))
            HearOne();
        bool hasKilled = _outOfMemory.HasKilled();
        // The launcher waits for this before it removes the groups.
        End();
        return hasKilled;
    }

    /// <summary>What the step was about that process 1 of all could not do.</summary>
    public StepLabel Label(int step) => _setup.Steps[step].Label;

    private void HearOne()
    {
        InitReport? report = InitReport.Receive(_reports, out SafeFileHandle? descriptor);
        descriptor?.Dispose();
        if (report is null)
            _hasEnded = true;
        else if (report is not { What: InitReport.Kind.Made or InitReport.Kind.Started })
            _outcome ??= report;
    }

    public void Dispose()
    {
        End();
        _reports.Dispose();
        _outOfMemory.Dispose();
    }
}
