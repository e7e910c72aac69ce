using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn.Boot;

/// <summary>A system that systemd-nspawn boots: in a guard of ours, which is what the pipes lead to.</summary>
internal sealed class NspawnBootContainer : PipedContainer
{
    private readonly NspawnBootPlan _plan;
    private readonly string _nspawn;
    private readonly ContainerTree? _tree;
    private readonly SafeFileHandle _input;
    private readonly Lock _lock = new();
    private int _guard;
    private bool _hasLeader, _wasEnded;
    private ProcessReference? _leader;

    public NspawnBootContainer(ContainerSpec spec, string nspawn, string executable) : base(spec)
    {
        string root = RealPath.Of(spec.Root);
        _tree = ContainerTree.Open(spec, NspawnContainer.RealFolders, NspawnContainer.EmptyFiles);
        _input = spec.Input!;
        _nspawn = nspawn;
        try
        {
            _plan = new NspawnBootPlan(spec, nspawn, root);
            _tree?.MakeMountPoints([NspawnContainer.Usr], all: spec.ReadOnly);
            BootListener listener = spec.Boot!.Listener!;
            listener.LeaderIsThere = SeeLeader;
            (SafeFileHandle console, SafeFileHandle consoleEnd) = Pipes.Make();
            listener.Read(console);
            using (consoleEnd)
                Start((reports, control) => Launch(executable, consoleEnd, reports, control));
        }
        catch
        {
            _tree?.Dispose();
            throw;
        }
        Write(_plan.Bytes);
    }

    protected override (string Engine, ulong Capabilities)? Identity => (NspawnEngine.Name, ContainerCapabilities.Bits(Spec));

    protected override bool MadeIsProcess1 => false;

    protected override int? FindProcess1()
    {
        lock (_lock)
            return _leader?.Id;
    }

    /// <summary>Signals are for the init of the system, which only SIGKILL of everything around it ends without fail.</summary>
    public override void Send(Signal signal)
    {
        lock (_lock)
        {
            if (signal != Signal.SIGKILL && _leader is not null)
                _leader.Kill(signal);
            else
            {
                _wasEnded = true;
                base.Send(Signal.SIGKILL);
            }
        }
    }

    /// <summary>The end of nspawn is the system's, unless there never was one.</summary>
    public override ContainerResult Wait()
    {
        ContainerResult result = base.Wait();
        if (result.NotStarted is not null)
            return result;
        BootListener listener = Spec.Boot!.Listener!;
        // What nspawn said last may still be on its way.
        listener.End();
        lock (_lock)
        {
            if (_hasLeader || _wasEnded)
                return result;
        }
        string reason = listener.LastLines(1) is [var complaint] ? complaint.TrimEnd('.') : result.Exit.ToString();
        throw new ContainerException(NspawnVersion.Complaint(_nspawn) ?? $"{Spec.Root}: systemd-nspawn: {reason}");
    }

    protected override void Hear(InitReport report, SafeFileHandle? descriptor)
    {
        base.Hear(report, descriptor);
        if (report.What != InitReport.Kind.Made)
            return;
        lock (_lock)
            _guard = report.Value;
        FindLeader();
    }

    protected override bool WasOutOfMemory() => _plan.OutOfMemory.HasKilled();

    protected override void Clean() => _tree?.Clean();

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _tree?.Dispose();
        _plan.OutOfMemory.Dispose();
        lock (_lock)
            _leader?.Dispose();
    }

    protected override ContainerException Explain(InitReport? report) => report switch
    {
        { What: InitReport.Kind.StepFailed } failed => _plan.Label(failed.Step).Explain(failed.StepErrno),
        { } failed => new(new PosixException("start", (Errno)failed.Value, Spec.Root).Message),
        null => new($"{Spec.Root}: systemd-nspawn was killed"),
    };

    private void SeeLeader()
    {
        lock (_lock)
            _hasLeader = true;
        _plan.OutOfMemory.Start();
        FindLeader();
    }

    // Both have to be known: which process the guard is, and that nspawn has made the container in it. nspawn tells a number that means something to
    // itself; to us it is the process 1 below.
    private void FindLeader()
    {
        lock (_lock)
        {
            if (!_hasLeader || _guard == 0 || _leader is not null || HostProcess.FindProcess1Below(_guard) is not { } id)
                return;
            _leader = ProcessReference.TryOpen(id);
        }
        Announce();
    }

    private ChildProcess Launch(string executable, SafeFileHandle console, SafeFileHandle reports, SafeFileHandle control)
    {
        List<SafeFileHandle> inner = [];
        try
        {
            inner.Add(SealedFiles.Make("layerbox-plan", _plan.InnerBytes));
            // The plan is read from where it begins.
            Files.Seek(inner[0], 0, data: true);
            // Whoever gets at /proc/1/exe before the system is there cannot write to the host's file (CVE-2019-5736).
            inner.Add(OuterMounts.Open(executable, isRecursive: false, MountCalls.MOUNT_ATTR_RDONLY | MountCalls.MOUNT_ATTR_NOSUID));
            foreach (ContainerBind bind in Spec.Binds)
                inner.Add(OuterMounts.Open(bind.Source, bind.IsRecursive, attributes: 0));
            return ChildProcess.Start(new ProgramStart(executable, ContainerEntry.Launcher, ContainerEntry.Version)
            {
                Argument0 = "layerbox",
                Environment = [],
                Input = _input,
                Output = console,
                Error = console,
                // For nspawn's process 1 in the order of ContainerDescriptors, in which its own streams are nspawn's.
                Inherited = [reports, control, _input, _input, _input, reports, .. inner],
            });
        }
        finally
        {
            inner.ForEach(descriptor => descriptor.Dispose());
        }
    }
}
