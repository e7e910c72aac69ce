namespace Layerbox.Nspawn;

/// <summary>What root inside a container may do (capabilities(7)).</summary>
public static class ContainerCapabilities
{
    /// <summary>
    /// What installing and testing software takes: owners, modes, file capabilities, users, low ports, chroot. CAP_MKNOD joins them
    /// when a specification allows device nodes.
    /// </summary>
    public static IReadOnlyList<string> Kept { get; } =
    [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
        "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ];

    public const string MakeNodes = "CAP_MKNOD";

    /// <summary>All of them, in the order of their numbers (linux/capability.h).</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
        "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
        "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
        "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ];

    // What systemd-nspawn keeps of its own accord (man systemd-nspawn, --capability=); it wants to be told each one that it shall not.
    private static readonly string[] KeptByNspawn =
    [
        "CAP_AUDIT_CONTROL", "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
        "CAP_IPC_OWNER", "CAP_KILL", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
        "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_SYS_TTY_CONFIG",
    ];

    /// <summary>In place of a name: all that this process has, or all of <see cref="Kept"/> when it is said of what is dropped.</summary>
    public const string All = "all";

    // What process 1 needs besides, where systemd-nspawn starts it: it starts the command as another user, masks paths and installs the filter.
    private static readonly string[] NeededByInit = ["CAP_KILL", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN"];

    /// <summary>
    /// The capabilities of root in a container, in the order of their numbers: the usual ones but for those that are dropped, and those that are asked for.
    /// </summary>
    /// <exception cref="ContainerException">One was asked for that this process does not have.</exception>
    public static IReadOnlyList<string> Of(ContainerSpec spec)
    {
        ulong bits = Bits(spec);
        return [.. Names.Where((_, number) => (bits >> number & 1) != 0)];
    }

    /// <summary>What systemd-nspawn has to be told to keep and to drop.</summary>
    internal static (IReadOnlyList<string> Keep, IReadOnlyList<string> Drop) OfNspawn(ContainerSpec spec)
    {
        string[] keep = [.. Of(spec).Union(NeededByInit)];
        return (keep, [.. KeptByNspawn.Except(keep)]);
    }

    /// <inheritdoc cref="Of"/>
    internal static ulong Bits(ContainerSpec spec)
    {
        ulong held = spec.Users is null ? Held() : Known(), bits = 0;
        if (!spec.DroppedCapabilities.Contains(All))
        {
            foreach (string name in Kept)
                bits |= 1ul << NumberOf(name) & held;
        }
        foreach (string name in (string[])[.. spec.Capabilities, .. spec.AllowMknod ? [MakeNodes] : Array.Empty<string>()])
        {
            ulong asked = name == All ? held : 1ul << NumberOf(name);
            bits |= (asked & held) != 0 ? asked : throw new ContainerException($"{name}: this process does not have it, so it cannot give it to a container");
        }
        foreach (string name in spec.DroppedCapabilities)
            bits &= name == All ? ulong.MaxValue : ~(1ul << NumberOf(name));
        return bits;
    }

    /// <summary>Those that the command has although its user is not root.</summary>
    /// <param name="spec">What is to run.</param>
    /// <param name="ofRoot">Those of root.</param>
    /// <exception cref="ContainerException">Root does not have one of them.</exception>
    internal static ulong AmbientBits(ContainerSpec spec, ulong ofRoot)
    {
        ulong bits = 0;
        foreach (string name in spec.User.Uid == 0 ? [] : spec.AmbientCapabilities)
        {
            ulong bit = 1ul << NumberOf(name);
            bits |= (bit & ofRoot) != 0 ? bit : throw new ContainerException($"{name}: root inside does not have it, so nobody else can");
        }
        return bits;
    }

    /// <summary>Those that we could hand on of these.</summary>
    internal static ulong BitsOf(IEnumerable<string> names) => names.Aggregate(0ul, (bits, name) => bits | 1ul << NumberOf(name)) & Held();

    /// <summary>The names of the capabilities with these bits.</summary>
    internal static IReadOnlyList<string> NamesOf(ulong bits) => [.. Names.Where((_, number) => (bits >> number & 1) != 0)];

    /// <summary>The number of a capability; -1 when there is none of that name.</summary>
    internal static int NumberOf(string name)
    {
        for (int i = 0; i < Names.Count; i++)
        {
            if (Names[i] == name)
                return i;
        }
        return -1;
    }

    /// <summary>Whether this process may use a capability itself.</summary>
    internal static bool IsHeld(string name) => (Held() >> NumberOf(name) & 1) != 0;

    // In a user namespace of its own a process has all that the kernel knows.
    private static ulong Known()
    {
        const int PR_CAPBSET_READ = 23;
        ulong known = 0;
        for (int i = 0; i < Names.Count; i++)
        {
            if (KernelCalls.Call(KernelCalls.prctl, PR_CAPBSET_READ, i) >= 0)
                known |= 1ul << i;
        }
        return known;
    }

    // What we may use ourselves: the permitted set of this thread.
    private static unsafe ulong Held()
    {
        const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
        uint* header = stackalloc uint[2] { _LINUX_CAPABILITY_VERSION_3, 0 }, data = stackalloc uint[6];
        return KernelCalls.Call(KernelCalls.capget, (nint)header, (nint)data) < 0 ? 0 : data[1] | (ulong)data[4] << 32;
    }
}
