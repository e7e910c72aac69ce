using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
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
        CLONE_NEWIPC = 0x800_0000, CLONE_NEWPID = 0x2000_0000, CLONE_NEWNET = 0x4000_0000;

    private readonly PlanWriter _writer = new();
    private readonly StepList _setup, _enter, _after;
    private readonly ContainerSpec _spec;

    private BuiltinPlan(ContainerSpec spec)
    {
        _spec = spec;
        (_setup, _enter, _after) = (new StepList(_writer), new StepList(_writer), new StepList(_writer));
        IReadOnlyList<string> environment = spec.Environment ?? ContainerSpec.DefaultEnvironment(spec.User);
        AddSetup();
        AddEnter();
        ulong flags = CLONE_CLEAR_SIGHAND | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID
            | (spec.Network == ContainerNetwork.None ? CLONE_NEWNET : 0);
        Bytes = _writer.Finish(flags, _setup, _enter, _after, _writer.Texts(Programs(spec.Command[0], environment)), _writer.Texts(spec.Command), _writer.Texts(environment));
    }

    /// <summary>The plan as it goes to whoever clones.</summary>
    public byte[] Bytes { get; }

    /// <summary>Something has to be done when the container has ended, even if this process is gone by then.</summary>
    public bool HasAfter => _after.Steps.Count > 0;

    /// <exception cref="ContainerException">The description cannot be carried out.</exception>
    /// <exception cref="PosixException">The root or the source of a bind is not there.</exception>
    public static BuiltinPlan Of(ContainerSpec spec) => new(spec);

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => _setup.Steps.Concat(_enter.Steps).ElementAt(step).Label;

    // execvp(3), but on the command's own PATH.
    private static IEnumerable<string> Programs(string program, IReadOnlyList<string> environment)
    {
        if (program.Contains('/'))
            return [program];
        const string Variable = "PATH=";
        string path = environment.LastOrDefault(v => v.StartsWith(Variable, StringComparison.Ordinal))?[Variable.Length..] ?? ContainerSpec.DefaultPath;
        return path.Split(':').Select(folder => folder.Length == 0 ? $"./{program}" : $"{folder}/{program}");
    }

    private void AddSetup()
    {
        BuiltinMounts mounts = new(_spec, _writer, _setup);
        mounts.Add();
        byte[] name = Encoding.ASCII.GetBytes(_spec.HostName);
        _setup.Do(new StepLabel("sethostname", _spec.HostName), sethostname, _writer.Bytes(name), name.Length);
        if (_spec.Network == ContainerNetwork.None)
            AddLoopback();
        mounts.Enter();
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

    private void AddEnter()
    {
        ulong keep = ContainerCapabilities.OfBuiltin(_spec);
        AddLimits();
        AddBoundingSet(keep);
        AddPrivileges();
        AddUser(_spec.User, keep);
        _enter.Do(new StepLabel("chdir", _spec.WorkingDirectory), chdir, _writer.Text(_spec.WorkingDirectory));
    }

    private void AddLimits()
    {
        const int RLIMIT_NOFILE = 7;
        _enter.Do(new StepLabel("limit", "open files"), prlimit64, 0, RLIMIT_NOFILE, _writer.Struct(ResourceLimit.OpenFiles()), 0);
    }

    private void AddBoundingSet(ulong keep)
    {
        const int PR_CAPBSET_DROP = 24, PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_CLEAR_ALL = 4;
        for (int i = 0; i < ContainerCapabilities.Names.Count; i++)
        {
            // EINVAL: one that this kernel does not know.
            if ((keep >> i & 1) == 0)
                _enter.Try(new StepLabel("drop", ContainerCapabilities.Names[i]), Errno.EINVAL, prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
        }
        _enter.Try(new StepLabel("drop", "ambient capabilities"), Errno.EINVAL, prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }

    // While we still have CAP_SYS_ADMIN, without which only a process that gave up new privileges may have a filter.
    private void AddPrivileges()
    {
        const int PR_SET_NO_NEW_PRIVS = 38, SECCOMP_SET_MODE_FILTER = 1;
        if (_spec.NoNewPrivileges)
            _enter.Do(new StepLabel("prctl", "no new privileges"), prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (_spec.SystemCallFilter)
            _enter.Do(new StepLabel("seccomp", "system call filter"), seccomp, SECCOMP_SET_MODE_FILTER, 0, _writer.Filter(SeccompFilter.For(_spec)));
    }

    private void AddUser(ContainerUser user, ulong keep)
    {
        // struct __user_cap_header_struct and two of __user_cap_data_struct { u32 effective, permitted, inheritable; } (linux/capability.h)
        const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
        ulong left = user.Uid == 0 ? keep : 0;
        (uint low, uint high) = ((uint)left, (uint)(left >> 32));
        StepLabel label = new("become user", string.Create(CultureInfo.InvariantCulture, $"uid {user.Uid}"));
        uint[] groups = [.. user.Groups];
        _enter.Do(label, setgroups, groups.Length, _writer.Bytes(MemoryMarshal.AsBytes<uint>(groups)));
        _enter.Do(label, setresgid, user.Gid, user.Gid, user.Gid);
        _enter.Do(label, setresuid, user.Uid, user.Uid, user.Uid);
        _enter.Do(new StepLabel("capset", "capabilities"), capset, _writer.Bytes(MemoryMarshal.AsBytes<uint>([_LINUX_CAPABILITY_VERSION_3, 0])),
            _writer.Bytes(MemoryMarshal.AsBytes<uint>([low, low, 0, high, high, 0])));
    }
}
