using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

internal static unsafe partial class Libc
{
    [LibraryImport(Name)]
    internal static partial int posix_spawn(int* pid, byte* path, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport(Name)]
    internal static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport(Name)]
    internal static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport(Name)]
    internal static partial int posix_spawn_file_actions_adddup2(void* actions, int fd, int newfd);

    [LibraryImport(Name)]
    internal static partial int posix_spawn_file_actions_addchdir_np(void* actions, byte* path);

    [LibraryImport(Name)]
    internal static partial int posix_spawn_file_actions_addclosefrom_np(void* actions, int from);

    [LibraryImport(Name)]
    internal static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport(Name)]
    internal static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport(Name)]
    internal static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport(Name)]
    internal static partial int posix_spawnattr_setsigdefault(void* attributes, ulong* set);

    [LibraryImport(Name)]
    internal static partial int posix_spawnattr_setsigmask(void* attributes, ulong* set);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int waitpid(int pid, int* status, int options);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int pipe2(int* fds, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int socketpair(int domain, int type, int protocol, int* ends);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint sendmsg(SafeFileHandle socket, void* header, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial nint recvmsg(SafeFileHandle socket, void* header, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int shutdown(SafeFileHandle socket, int how);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int poll(PollFd* fds, nuint count, int timeout);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int fcntl(SafeFileHandle fd, int command, nint argument);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int faccessat(SafeFileHandle dirfd, byte* path, int mode, int flags);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int sigaction(int signal, void* action, void* old);

    [LibraryImport(Name, SetLastError = true)]
    internal static partial int signalfd(int fd, ulong* signals, int flags);

    [LibraryImport(Name)]
    internal static partial int sigprocmask(int how, ulong* signals, ulong* old);

    [LibraryImport(Name)]
    internal static partial nuint getauxval(nuint type);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint pidfd_open(nint number, int pid, uint flags);

    [LibraryImport(Name, EntryPoint = "syscall", SetLastError = true)]
    internal static partial nint pidfd_send_signal(nint number, SafeFileHandle pidfd, int signal, void* info, uint flags);

    /// <summary>struct pollfd</summary>
    internal struct PollFd
    {
        internal int Fd;
        internal short Events, Returned;
    }
}
