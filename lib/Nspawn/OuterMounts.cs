using System.Runtime.InteropServices;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A folder or file of the host that whoever clones opens for process 1, which may do less.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct OuterMount
{
    /// <summary>Where it is on the host.</summary>
    public byte* Path;

    /// <summary>Flags of open_tree(2).</summary>
    public long Flags;

    /// <summary>Not 0: its files have the owners inside that they have outside.</summary>
    public long KeepsOwners;

    /// <summary>Where process 1 keeps the descriptor.</summary>
    public long Register;
}

/// <summary>
/// Opens what a container with users of its own shows of the host, while this process still may: process 1 has no right over files that are not its users', and only
/// who rules a filesystem may have a mount show other owners.
/// </summary>
internal static unsafe class OuterMounts
{
    /// <summary>The most that one message carries is SCM_MAX_FD, 253 (unix(7)).</summary>
    public const int CountMax = 250;

    /// <summary>The control message of so many descriptors: struct cmsghdr { size_t length; int level, type; } and those, in words.</summary>
    public const int ControlWords = 2 + ((CountMax + 1) / 2);

    /// <summary>Opens all and tells process 1 to go on.</summary>
    /// <param name="plan">Says which.</param>
    /// <param name="id">Process 1, whose users are mapped.</param>
    /// <param name="socket">To it.</param>
    /// <exception cref="ContainerException">One is not there, or its filesystem cannot be shown so.</exception>
    public static void Send(KernelPlan* plan, int id, SafeFileHandle socket)
    {
        List<SafeFileHandle> opened = [];
        try
        {
            using SafeFileHandle? users = plan->OuterCount == 0 ? null : Files.Open($"/proc/{id}/ns/user", OpenFlags.ReadOnly);
            for (long i = 0; i < plan->OuterCount; i++)
                opened.Add(Open(plan->Outer[i], users!));
            Send(socket, [.. opened.Select(mount => (int)mount.DangerousGetHandle())]);
        }
        finally
        {
            opened.ForEach(mount => mount.Dispose());
        }
    }

    /// <summary>A copy of what is mounted at a path, which is mounted nowhere yet and which nothing that is mounted on the host later reaches, nor the other way.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="isRecursive">With what is mounted below it.</param>
    /// <param name="attributes">MOUNT_ATTR_… of all of it.</param>
    /// <exception cref="PosixException">It is not there, or the kernel refuses.</exception>
    public static SafeFileHandle Open(string path, bool isRecursive, int attributes)
    {
        fixed (byte* text = (byte[])[.. PathText.ToBytes(path), 0])
            return Open(text, MountCalls.OPEN_TREE_CLONE | (isRecursive ? MountCalls.AT_RECURSIVE : 0) | MountCalls.CloseOnExec, (ulong)attributes, null);
    }

    private static SafeFileHandle Open(OuterMount outer, SafeFileHandle users)
    {
        try
        {
            return Open(outer.Path, outer.Flags, outer.KeepsOwners != 0 ? (ulong)MountCalls.MOUNT_ATTR_IDMAP : 0, users);
        }
        catch (PosixException e)
        {
            throw new ContainerException(e.Message + (e is { Call: ShowWithOwners, Errno: Errno.EINVAL or Errno.EPERM }
                ? ": what is mounted here cannot be shown in a user namespace (its filesystem, or it is shown with other owners already): copy it to another filesystem" : ""));
        }
    }

    private const string ShowWithOwners = "show with its owners";

    private static SafeFileHandle Open(byte* text, long flags, ulong attributes, SafeFileHandle? users)
    {
        const ulong MS_PRIVATE = 1 << 18;
        string path = PathText.FromBytes(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
        nint result = KernelCalls.Call(KernelCalls.open_tree, KernelCalls.AT_FDCWD, (nint)text, (nint)flags);
        if (result < 0)
            throw new PosixException("open", (Errno)(-result), path);
        SafeFileHandle mount = new(result, ownsHandle: true);
        // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd; }
        ulong* values = stackalloc ulong[4];
        (values[0], values[1], values[2], values[3]) = (attributes, 0, MS_PRIVATE, users is null ? 0 : (ulong)users.DangerousGetHandle());
        int recursive = (int)flags & MountCalls.AT_RECURSIVE;
        result = KernelCalls.Call(KernelCalls.mount_setattr, mount.DangerousGetHandle(), KernelCalls.Literal("\0"u8), MountCalls.AT_EMPTY_PATH | recursive, (nint)values, 4 * sizeof(ulong));
        if (result >= 0)
            return mount;
        mount.Dispose();
        throw new PosixException((attributes & MountCalls.MOUNT_ATTR_IDMAP) != 0 ? ShowWithOwners : "mount", (Errno)(-result), path);
    }

    private static void Send(SafeFileHandle socket, ReadOnlySpan<int> descriptors)
    {
        const int SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000;
        byte sign = 1;
        // struct iovec { void *base; size_t length; }
        nint* vector = stackalloc nint[2], control = stackalloc nint[ControlWords], header = stackalloc nint[7];
        (vector[0], vector[1]) = ((nint)(&sign), 1);
        int length = (2 * sizeof(nint)) + (descriptors.Length * sizeof(int));
        (control[0], control[1]) = (length, SOL_SOCKET | (nint)SCM_RIGHTS << 32);
        descriptors.CopyTo(new Span<int>(control + 2, descriptors.Length));
        // struct msghdr { void *name; unsigned name_length; iovec *; size_t count; void *control; size_t length; int flags; }
        (header[0], header[1], header[2], header[3], header[6]) = (0, 0, (nint)vector, 1, 0);
        (header[4], header[5]) = descriptors.IsEmpty ? (0, 0) : ((nint)control, length);
        nint sent;
        do
            sent = KernelCalls.Call(KernelCalls.sendmsg, socket.DangerousGetHandle(), (nint)header, MSG_NOSIGNAL);
        while (sent == -(int)Errno.EINTR);
        if (sent < 0)
            throw new PosixException("send", (Errno)(-sent), "socket to process 1");
    }
}
