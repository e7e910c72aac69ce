namespace Layerbox.Nspawn;

/// <summary>
/// The system call filter of a container (seccomp(2)), a list of what is refused: interfaces to the kernel that are no part of running software,
/// had many of its holes, or are not divided by namespaces. Calls that take a capability are allowed with that capability. 32-bit and x32
/// programs, whose calls have other numbers, are closed altogether.
/// </summary>
public static class SeccompFilter
{
    // linux/audit.h, linux/seccomp.h, linux/filter.h
    private const uint AUDIT_ARCH_X86_64 = 0xC000003E, X32_SYSCALL_BIT = 0x40000000;
    private const uint SECCOMP_RET_KILL_PROCESS = 0x80000000, SECCOMP_RET_ERRNO = 0x00050000, SECCOMP_RET_ALLOW = 0x7FFF0000;
    private const uint EPERM = 1, ENOSYS = 38;
    private const ushort LoadWord = 0x20, JumpIfEqual = 0x15, JumpIfAtLeast = 0x35, JumpIfAnyBit = 0x45, Return = 0x06;

    // struct seccomp_data { int nr; u32 arch; u64 instruction_pointer; u64 args[6]; }
    private const uint NumberOffset = 0, ArchitectureOffset = 4, FirstArgumentOffset = 16, SecondArgumentOffset = 24;

    private const uint ioctl = 16, socket = 41, clone = 56, io_uring_setup = 425, io_uring_enter = 426, io_uring_register = 427, clone3 = 435;
    private const uint TIOCSTI = 0x5412, TIOCLINUX = 0x541C, AF_VSOCK = 40;

    // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h)
    private const uint NewNamespaces = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;

    /// <summary>What <see cref="ContainerSpec.SuppressSync"/> lets succeed without being done.</summary>
    private static readonly (string Name, uint Number)[] Syncs = [("msync", 26), ("fsync", 74), ("fdatasync", 75), ("sync", 162), ("sync_file_range", 277), ("syncfs", 306)];

    // Of the refused ones, between which it is asked whether any can still come.
    private const int NumbersAtOnce = 6;

    private const string Admin = "CAP_SYS_ADMIN";

    /// <summary>What is refused with EPERM, by number (unistd_64.h) in ascending order, and the capabilities any of which allows it.</summary>
    private static readonly (string Name, uint Number, string[] AllowedWith)[] Refused =
    [
        ("syslog", 103, ["CAP_SYSLOG", Admin]), ("uselib", 134, []), ("sysfs", 139, []), ("pivot_root", 155, [Admin]), ("_sysctl", 156, []),
        ("acct", 163, ["CAP_SYS_PACCT"]), ("settimeofday", 164, ["CAP_SYS_TIME"]), ("mount", 165, [Admin]), ("umount2", 166, [Admin]),
        ("swapon", 167, [Admin]), ("swapoff", 168, [Admin]), ("reboot", 169, ["CAP_SYS_BOOT"]), ("iopl", 172, ["CAP_SYS_RAWIO"]),
        ("ioperm", 173, ["CAP_SYS_RAWIO"]), ("create_module", 174, []), ("init_module", 175, ["CAP_SYS_MODULE"]),
        ("delete_module", 176, ["CAP_SYS_MODULE"]), ("quotactl", 179, [Admin]), ("nfsservctl", 180, []), ("lookup_dcookie", 212, [Admin]),
        ("clock_settime", 227, ["CAP_SYS_TIME"]), ("vserver", 236, []), ("kexec_load", 246, ["CAP_SYS_BOOT"]), ("add_key", 248, []),
        ("request_key", 249, []), ("keyctl", 250, []), ("unshare", 272, [Admin]), ("perf_event_open", 298, ["CAP_PERFMON", Admin]),
        ("fanotify_init", 300, [Admin]), ("open_by_handle_at", 304, ["CAP_DAC_READ_SEARCH"]), ("setns", 308, [Admin]),
        ("kcmp", 312, ["CAP_SYS_PTRACE"]), ("finit_module", 313, ["CAP_SYS_MODULE"]), ("kexec_file_load", 320, ["CAP_SYS_BOOT"]),
        ("bpf", 321, ["CAP_BPF", Admin]), ("userfaultfd", 323, []), ("open_tree", 428, [Admin]), ("move_mount", 429, [Admin]),
        ("fsopen", 430, [Admin]), ("fsconfig", 431, [Admin]), ("fsmount", 432, [Admin]), ("fspick", 433, [Admin]),
        ("pidfd_getfd", 438, ["CAP_SYS_PTRACE"]), ("mount_setattr", 442, [Admin]), ("quotactl_fd", 443, [Admin]), ("open_tree_attr", 467, [Admin]),
    ];

    /// <summary>What is refused as if the kernel did not have it, so that programs fall back to what the filter can look into.</summary>
    private static readonly uint[] Absent = [io_uring_setup, io_uring_enter, io_uring_register];

    /// <summary>The names of the calls that a container with these capabilities is refused with EPERM.</summary>
    public static IEnumerable<string> RefusedCalls(IReadOnlyCollection<string> capabilities) =>
        Refused.Where(call => !call.AllowedWith.Any(capabilities.Contains)).Select(call => call.Name);

    /// <summary>The names of the calls that do nothing in such a container.</summary>
    public static IEnumerable<string> IgnoredCalls(ContainerSpec spec) => spec.SuppressSync ? Syncs.Select(call => call.Name) : [];

    /// <summary>The program as the kernel takes it: struct sock_filter { u16 code; u8 jt, jf; u32 k; }, eight bytes each.</summary>
    internal static ulong[] For(ContainerSpec spec)
    {
        List<Instruction> code = new(128)
        {
            new(LoadWord, ArchitectureOffset),
            new(JumpIfEqual, AUDIT_ARCH_X86_64, No: spec.SystemCallFilter ? End.Kill : End.Allow),
            new(LoadWord, NumberOffset),
        };
        if (spec.SuppressSync)
        {
            foreach ((_, uint number) in Syncs)
                code.Add(new(JumpIfEqual, number, Yes: End.Done));
        }
        if (spec.SystemCallFilter)
            AddRefusals(code, ContainerCapabilities.Of(spec));
        int ends = code.Count;
        // In the order of the ends.
        code.Add(new(Return, SECCOMP_RET_ALLOW));
        code.Add(new(Return, SECCOMP_RET_ERRNO | EPERM));
        code.Add(new(Return, SECCOMP_RET_ERRNO | ENOSYS));
        code.Add(new(Return, SECCOMP_RET_KILL_PROCESS));
        code.Add(new(Return, SECCOMP_RET_ERRNO));
        ulong[] program = new ulong[code.Count];
        for (int at = 0; at < program.Length; at++)
            program[at] = code[at].Encode(at, ends);
        return program;
    }

    private static void AddRefusals(List<Instruction> code, IReadOnlyList<string> capabilities)
    {
        bool isAdmin = capabilities.Contains(Admin);
        code.Add(new(JumpIfAtLeast, X32_SYSCALL_BIT, Yes: End.NotThere));
        // As a terminal that is shared with the host would take them: keys typed by the container, in the shell outside.
        AddArgumentRule(code, ioctl, SecondArgumentOffset, new(JumpIfEqual, TIOCSTI, Yes: End.Refuse), new(JumpIfEqual, TIOCLINUX, Yes: End.Refuse, No: End.Allow));
        // No namespace divides these sockets: they reach the machine that this one is a guest of.
        AddArgumentRule(code, socket, FirstArgumentOffset, new Instruction(JumpIfEqual, AF_VSOCK, Yes: End.Refuse, No: End.Allow));
        if (!isAdmin)
        {
            AddArgumentRule(code, clone, FirstArgumentOffset, new Instruction(JumpIfAnyBit, NewNamespaces, Yes: End.Refuse, No: End.Allow));
            // Its flags are in memory, where no filter can look.
            code.Add(new(JumpIfEqual, clone3, Yes: End.NotThere));
        }
        foreach (uint number in Absent)
            code.Add(new(JumpIfEqual, number, Yes: End.NotThere));
        int count = 0;
        foreach ((_, uint number, string[] allowedWith) in Refused)
        {
            if (allowedWith.Any(capabilities.Contains))
                continue;
            // What lies below the next ones was compared with all that could refuse it. The kernel runs the program once for each number
            // there is when it takes it, and most are low.
            if (count++ % NumbersAtOnce == 0)
                code.Add(new(JumpIfAtLeast, number, No: End.Allow));
            code.Add(new(JumpIfEqual, number, Yes: End.Refuse));
        }
    }

    private static void AddArgumentRule(List<Instruction> code, uint number, uint argument, params ReadOnlySpan<Instruction> rules)
    {
        code.Add(new(JumpIfEqual, number, Skip: rules.Length + 1));
        code.Add(new(LoadWord, argument));
        foreach (Instruction rule in rules)
            code.Add(rule);
    }

    /// <summary>Where a jump goes: on, or to one of the returns at the end.</summary>
    private enum End
    {
        Next = -1,
        Allow,
        Refuse,
        NotThere,
        Kill,
        Done,
    }

    /// <summary>An instruction; a comparison goes on with the next one, or skips some when it does not hold.</summary>
    private readonly record struct Instruction(ushort Code, uint Value, End Yes = End.Next, End No = End.Next, int Skip = 0)
    {
        public ulong Encode(int at, int ends) =>
            Code | ((ulong)Offset(Yes, 0, at, ends) << 16) | ((ulong)Offset(No, Skip, at, ends) << 24) | ((ulong)Value << 32);

        private static byte Offset(End end, int skip, int at, int ends) => end == End.Next ? (byte)skip : checked((byte)(ends + (int)end - at - 1));
    }
}
