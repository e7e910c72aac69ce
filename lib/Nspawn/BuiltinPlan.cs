using System.Runtime.InteropServices;
using System.Text;
using Layerbox.Nspawn.Boot;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>
/// A container as the list of system calls that make it. Written where code may still allocate and throw; made where it may not (see
/// <see cref="ContainerChild"/>).
/// </summary>
internal sealed class BuiltinPlan
{
    // linux/sched.h
    private const ulong CLONE_CLEAR_SIGHAND = 0x1_0000_0000, CLONE_NEWNS = 0x20000, CLONE_NEWCGROUP = 0x200_0000, CLONE_NEWUTS = 0x400_0000,
        CLONE_NEWIPC = 0x800_0000, CLONE_NEWPID = 0x2000_0000, CLONE_NEWNET = 0x4000_0000, CLONE_NEWUSER = 0x1000_0000;

    private readonly PlanWriter _writer = new();
    private readonly StepList _setup, _enter;
    private readonly StepList? _outer;
    private readonly ContainerSpec _spec;

    private BuiltinPlan(ContainerSpec spec)
    {
        _spec = spec;
        (_setup, _enter) = (new StepList(_writer), new StepList(_writer));
        _outer = spec is { Users.KeepsOwners: true, Target: null } ? new StepList(_writer) : null;
        Register? terminal;
        if (spec.Target is { } target)
            terminal = AddJoin(target);
        else
        {
            AddControlGroups();
            terminal = AddSetup();
        }
        if (spec.Boot is not null)
            BootSteps.AddStreams(_writer, _enter);
        new EnterSteps(spec, _writer, _enter).Add(terminal);
        ulong flags = CLONE_CLEAR_SIGHAND | (spec.Target is null ? Namespaces(spec) : 0);
        _writer.Complete(flags, _setup, _enter, PlannedCommand.Of(spec), spec.Target is null ? spec.Users : null, _outer);
    }

    /// <summary>The plan as it goes to another process that clones.</summary>
    public byte[] Bytes => _writer.Encode();

    /// <summary>The plan for this process to clone by.</summary>
    public LoadedPlan Load() => _writer.Load();

    /// <summary>Something has to be done when the container has ended, even if this process is gone by then.</summary>
    public bool HasAfter => _writer.CgroupTrees.Count > 0 || _writer.IsInit;

    /// <summary>What is mounted, in order.</summary>
    public IReadOnlyList<PlannedMount> Mounts => _setup.Mounts;

    /// <inheritdoc cref="CgroupSteps.OutOfMemory"/>
    public OutOfMemoryWatch? OutOfMemory { get; private set; }

    /// <exception cref="ContainerException">The description cannot be carried out.</exception>
    /// <exception cref="PosixException">The root or the source of a bind is not there.</exception>
    public static BuiltinPlan Of(ContainerSpec spec) => new(spec);

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => (_outer?.Steps ?? []).Concat(_setup.Steps).Concat(_enter.Steps).ElementAt(step).Label;

    // One that has groups of its own gets the namespace of them later, when it is in them.
    private static ulong Namespaces(ContainerSpec spec) =>
        CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | (spec.Boot is null && spec.Limits.IsNone ? CLONE_NEWCGROUP : 0) | (spec.Network == ContainerNetwork.None ? CLONE_NEWNET : 0)
        | (spec.Users is null ? 0 : CLONE_NEWUSER);

    private void AddControlGroups()
    {
        CgroupSteps groups = new(_writer, _setup, _outer);
        groups.Add(_spec.Limits);
        OutOfMemory = groups.OutOfMemory;
        _writer.CgroupTrees = [.. groups.Folders.Values];
        if (_spec.Boot is null)
            return;
        _writer.IsInit = true;
        // Those are below the others, and go first.
        _writer.CgroupTrees = [.. CgroupTree.Plan(CgroupTree.NewName(), _writer, _setup, isRoot: true, groups.Folders), .. _writer.CgroupTrees];
    }

    // Returns the command's end of its terminal, where it has one.
    private Register? AddSetup()
    {
        BuiltinMounts mounts = new(_spec, _writer, _setup);
        mounts.Add();
        byte[] name = Encoding.ASCII.GetBytes(_spec.HostName);
        _setup.Do(new StepLabel("sethostname", _spec.HostName), sethostname, _writer.Bytes(name), name.Length);
        if (_spec.Network == ContainerNetwork.None)
            AddLoopback();
        mounts.Enter();
        if (_spec.Boot is not null)
        {
            BootSteps.AddConsole(_writer, _setup);
            BootSteps.AddNotifySocket(_writer, _setup);
        }
        return mounts.Terminal;
    }

    // The control groups are found while we still see the host's, and joined by the command's own process alone. Returns the command's end of a
    // terminal of the container, where it is to have one.
    private Register? AddJoin(ContainerTarget target)
    {
        foreach (string folder in target.ControlGroups)
        {
            StepLabel label = new("join", folder);
            if (folder.EndsWith(ContainerTarget.EnteredGroup, StringComparison.Ordinal))
                _setup.Try(label, Errno.EEXIST, mkdirat, AT_FDCWD, _writer.Text(folder), 0x1ED /* 0755 */);
            Register file = _setup.Get(label, openat, AT_FDCWD, _writer.Text($"{folder}/cgroup.procs"), (int)(OpenFlags.WriteOnly | OpenFlags.CloseOnExec), 0);
            _enter.Do(label, write, file, _writer.Text("0"), 1);
        }
        _setup.Do(new StepLabel("enter", "namespaces of the container"), setns, new Register(KernelStep.TargetRegister), target.Namespaces);
        if (target.Users is { } users && UserNamespace.Inside(users.Users, ProcessOwner.EffectiveUid) is null)
            BecomeRoot.Add(_writer, _setup);
        _setup.Do(new StepLabel("chdir", "/"), chdir, _writer.Text("/"));
        if (_spec.Terminal is null)
            return null;
        Register pts = _setup.Get(new StepLabel("open", "/dev/pts"), openat, AT_FDCWD, _writer.Text("/dev/pts"), MountCalls.PathOnly, 0);
        Register terminal = TerminalSteps.Open(_spec, _writer, _setup, pts);
        _setup.Do(new StepLabel("close", "descriptor"), close, pts);
        return terminal;
    }

    // struct ifreq (linux/if.h): 16 bytes of name, then the flags, 40 bytes in all.
    private void AddLoopback()
    {
        const int AF_INET = 2, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000, SIOCSIFFLAGS = 0x8914, IFF_UP = 1, IFF_LOOPBACK = 8, IFF_RUNNING = 0x40;
        byte[] request = new byte[40];
        "lo"u8.CopyTo(request);
        MemoryMarshal.Write(request.AsSpan(16), (short)(IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
        StepLabel label = new("bring up", "network interface lo");
        Register socket = _setup.Get(label, KernelCalls.socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        _setup.Do(label, ioctl, socket, SIOCSIFFLAGS, _writer.Bytes(request));
        _setup.Do(label, close, socket);
    }
}
