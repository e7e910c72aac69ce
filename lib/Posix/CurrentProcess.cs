using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Changes of this process itself, for programs that prepare the ground for another one.</summary>
public static unsafe class CurrentProcess
{
    /// <summary>The path that this program was executed by, in whatever folder that was; null when nobody knows (getauxval(3)).</summary>
    public static string? StartedAs
    {
        get
        {
            const nuint AT_EXECFN = 31;
            byte* path = (byte*)Libc.getauxval(AT_EXECFN);
            return path is null ? null : PathText.FromBytes(System.Runtime.InteropServices.MemoryMarshal.CreateReadOnlySpanFromNullTerminated(path));
        }
    }

    public static int Id => Environment.ProcessId;

    /// <summary>The process that started this one, or after its end whoever has taken its children over; 0 when that is in no namespace of ours.</summary>
    public static int ParentId => Libc.getppid();

    /// <summary>How many threads it has, those of the runtime included; null where there is no /proc. A folder has two links more than folders in it, here one for each thread.</summary>
    public static int? ThreadCount => Files.TryStatus(Directories.Current, "/proc/self/task"u8) is { } tasks ? (int)tasks.Links - 2 : null;

    /// <summary>
    /// Gives the calling thread mounts of its own: those made here are seen nowhere else, while unmounts elsewhere still reach us, so
    /// that we keep no filesystem busy. Only for a program that is about to become another one.
    /// </summary>
    public static void NewMountNamespace()
    {
        const int CLONE_NEWNS = 0x20000;
        PosixException.Check(Libc.unshare(CLONE_NEWNS), "unshare mounts");
        Mounts.Mount(null, "/", null, MountFlags.MS_REC | MountFlags.MS_SLAVE);
    }

    /// <summary>Hides /proc/PID of this process (memory, executable, descriptors) from all that lack CAP_SYS_PTRACE.</summary>
    public static void ForbidInspection()
    {
        const int PR_SET_DUMPABLE = 4;
        PosixException.Check(Libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl");
    }

    /// <summary>From now on no program that is executed gains privileges by setuid bits or file capabilities. For the calling thread and its children.</summary>
    public static void ForbidNewPrivileges()
    {
        const int PR_SET_NO_NEW_PRIVS = 38;
        PosixException.Check(Libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
    }

    public static void SetUmask(uint mask) => _ = Libc.umask(mask);

    public static void ChangeDirectory(string path)
    {
        fixed (byte* p = new CString(PathText.ToBytes(path), stackalloc byte[CString.Inline]))
            PosixException.Check(Libc.chdir(p), "chdir", path);
    }

    /// <summary>Becomes another user for good, in all threads, with exactly these groups.</summary>
    public static void BecomeUser(uint uid, uint gid, ReadOnlySpan<uint> groups)
    {
        fixed (uint* p = groups)
            PosixException.Check(Libc.setgroups((nuint)groups.Length, p), "setgroups");
        PosixException.Check(Libc.setresgid(gid, gid, gid), "setgid");
        PosixException.Check(Libc.setresuid(uid, uid, uid), "setuid");
    }

    /// <summary>Makes descriptor <paramref name="number"/> a copy that programs inherit, whatever was there before.</summary>
    public static void PlaceDescriptor(SafeFileHandle fd, int number) => PosixException.Check(Libc.dup3(fd, number, 0), "dup3");

    /// <summary>A descriptor that we were started with; null when there is none of that number. What this program opened itself is closed on exec.</summary>
    public static SafeFileHandle? InheritedDescriptor(int number)
    {
        const int F_GETFD = 1, FD_CLOEXEC = 1;
        int flags = Libc.fcntl_number(number, F_GETFD, 0);
        return flags < 0 || (flags & FD_CLOEXEC) != 0 ? null : new SafeFileHandle(number, ownsHandle: false);
    }

    /// <summary>Ends at once, without unwinding anything.</summary>
    public static void ExitNow(int status) => Libc._exit(status);

    /// <summary>Becomes another program; comes back only by the exception.</summary>
    public static void Execute(string program, IReadOnlyList<string> arguments, IReadOnlyList<string> environment)
    {
        // .NET ignores SIGPIPE, and what is ignored stays so in the next program.
        Signals.SetDefault(Signal.SIGPIPE);
        byte** argv = ChildProcess.Strings([program, .. arguments]), envp = ChildProcess.Strings(environment);
        fixed (byte* p = new CString(PathText.ToBytes(program), stackalloc byte[CString.Inline]))
            Libc.execve(p, argv, envp);
        Errno errno = PosixException.Last;
        ChildProcess.Free(argv);
        ChildProcess.Free(envp);
        throw new PosixException("run", errno, program);
    }
}
