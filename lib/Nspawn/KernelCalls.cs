using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Layerbox.Nspawn;

/// <summary>
/// System calls in the only form that is sound between clone and exec: nothing is marshalled, nothing is looked up, the runtime is not told.
/// There is no other thread then that could wait for us, so they may even block. Numbers are those of x86-64 (unistd_64.h).
/// </summary>
internal static unsafe partial class KernelCalls
{
    public const int read = 0, write = 1, close = 3, poll = 7, rt_sigaction = 13, rt_sigprocmask = 14, ioctl = 16, dup2 = 33, getpid = 39, socket = 41, sendmsg = 46, recvmsg = 47, bind = 49,
        execve = 59, wait4 = 61, kill = 62, fcntl = 72, chdir = 80, fchdir = 81, umask = 95, setsid = 112, setgroups = 116, setresuid = 117, setresgid = 119,
        capget = 125, capset = 126, pivot_root = 155, prctl = 157, mount = 165, umount2 = 166, sethostname = 170, exit_group = 231, openat = 257,
        mkdirat = 258, mknodat = 259, fchownat = 260, unlinkat = 263, symlinkat = 266, fchmodat = 268, unshare = 272, signalfd4 = 289, prlimit64 = 302, setns = 308, seccomp = 317,
        open_tree = 428, move_mount = 429, fsopen = 430, fsconfig = 431, fsmount = 432, pidfd_open = 434, clone3 = 435, close_range = 436, openat2 = 437,
        mount_setattr = 442;

    public const int AT_FDCWD = -100, POLLIN = 1;

    /// <summary>Result of a call, or minus the error number.</summary>
    public static nint Call(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0, nint f = 0)
    {
        nint result = syscall(number, a, b, c, d, e, f);
        return result == -1 ? -*__errno_location() : result;
    }

    /// <summary>clone(2) as libc wraps it: the new process calls a function with one argument on a stack of its own. Its number, or minus the error number.</summary>
    public static nint CloneInto(nint function, nint stack, int flags, nint argument)
    {
        int id = clone(function, stack, flags, argument);
        return id < 0 ? -*__errno_location() : id;
    }

    /// <summary>Waits for the end of a child, for code that has a runtime: a collection need not wait for it.</summary>
    public static int Wait(int id, int* status)
    {
        int result = waitpid(id, status, 0);
        return result < 0 ? -*__errno_location() : result;
    }

    /// <summary>poll(2) without a limit of time, for code that has a runtime. struct pollfd { int fd; short events, revents; }</summary>
    public static int Poll(int* polls, int count)
    {
        int result = ppoll(polls, (nuint)count, null, null);
        return result < 0 ? -*__errno_location() : result;
    }

    /// <summary>The bytes of a literal, which lie in the executable and never move.</summary>
    public static nint Literal(ReadOnlySpan<byte> text) => (nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(text));

    [LibraryImport("libc"), SuppressGCTransition]
    private static partial nint syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    [LibraryImport("libc"), SuppressGCTransition]
    private static partial int clone(nint function, nint stack, int flags, nint argument);

    [LibraryImport("libc"), SuppressGCTransition]
    private static partial int* __errno_location();

    [LibraryImport("libc")]
    private static partial int ppoll(int* polls, nuint count, void* timeout, void* mask);

    [LibraryImport("libc")]
    private static partial int waitpid(int id, int* status, int options);
}
