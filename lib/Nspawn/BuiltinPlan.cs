using System.Runtime.InteropServices;
using System.Text;
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
    private readonly StepList _setup, _enter, _after;
    private readonly ContainerSpec _spec;

    private BuiltinPlan(ContainerSpec spec)
    {
        _spec = spec;
        (_setup, _enter, _after) = (new StepList(_writer), new StepList(_writer), new StepList(_writer));
        if (!spec.Limits.IsNone)
            AddLimits();
        Register? terminal = AddSetup();
        new EnterSteps(spec, _writer, _enter).Add(terminal);
        ulong flags = CLONE_CLEAR_SIGHAND | CLONE_NEWNS | (spec.Limits.IsNone ? CLONE_NEWCGROUP : 0) | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID
            | (spec.Network == ContainerNetwork.None ? CLONE_NEWNET : 0) | (spec.Users is null ? 0 : CLONE_NEWUSER);
        Bytes = _writer.Finish(flags, _setup, _enter, _after, PlannedCommand.Of(spec), spec.Users);
    }

    /// <summary>The plan as it goes to whoever clones.</summary>
    public byte[] Bytes { get; }

    /// <summary>Something has to be done when the container has ended, even if this process is gone by then.</summary>
    public bool HasAfter => _after.Steps.Count > 0;

    /// <summary>What is mounted, in order.</summary>
    public IReadOnlyList<PlannedMount> Mounts => _setup.Mounts;

    /// <summary>See <see cref="CgroupSteps.OutOfMemoryFile"/>.</summary>
    public string? OutOfMemoryFile { get; private set; }

    /// <exception cref="ContainerException">The description cannot be carried out.</exception>
    /// <exception cref="PosixException">The root or the source of a bind is not there.</exception>
    public static BuiltinPlan Of(ContainerSpec spec) => new(spec);

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => _setup.Steps.Concat(_enter.Steps).ElementAt(step).Label;

    private void AddLimits()
    {
        CgroupSteps groups = new(_writer, _setup, _after);
        groups.Add(CgroupSettings.Of(_spec.Limits, CgroupLayout.Own()), $"layerbox-{Guid.NewGuid():N}");
        OutOfMemoryFile = groups.OutOfMemoryFile;
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
        return mounts.Terminal;
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
