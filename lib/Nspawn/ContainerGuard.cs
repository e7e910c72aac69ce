using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Prepares the ground for systemd-nspawn and then becomes it: in a process namespace of its own, out of reach of the terminal's keys, with a /run/systemd/nspawn
/// of its own (so that nothing is left there and no names clash), and told by LISTEN_PID, which only it can know, to hand our pipes on.
/// </summary>
internal static class ContainerGuard
{
    /// <summary>Before a mount point that is a folder, or a file; before the source of a bind, without and with what is mounted below it; and after the last one.</summary>
    public const string FolderMark = "d", FileMark = "f", BindMark = "b", RecursiveBindMark = "r", EndOfMountPoints = "--";

    /// <summary>Where a root is seen whose changes go to memory.</summary>
    public const string Overlay = $"{StateFolder}/root";

    private const string StateFolder = "/run/systemd/nspawn";

    /// <param name="descriptors">How many of our descriptors from 3 on process 1 is to get, before those of the binds.</param>
    /// <param name="root">The folder to show at <see cref="Overlay"/>; empty: none.</param>
    /// <param name="arguments">Mount points to make in it and sources of binds; then nspawn and its arguments.</param>
    public static int Run(string descriptors, string root, string[] arguments)
    {
        int end = Array.IndexOf(arguments, EndOfMountPoints);
        try
        {
            CurrentProcess.SetUmask(0x12 /* 0022 */);
            CurrentProcess.NewMountNamespace();
            // While all of them can still be seen.
            int count = int.Parse(descriptors, CultureInfo.InvariantCulture);
            foreach (string source in arguments[..end])
            {
                if (source.StartsWith(BindMark, StringComparison.Ordinal) || source.StartsWith(RecursiveBindMark, StringComparison.Ordinal))
                    OfferBind(source[1..], source.StartsWith(RecursiveBindMark, StringComparison.Ordinal), ContainerDescriptors.Input + count++);
            }
            // From here on it is that of our own processes.
            Mounts.Mount("proc", "/proc", "proc", MountFlags.MS_NOSUID | MountFlags.MS_NODEV | MountFlags.MS_NOEXEC);
            Directories.MakeAll(StateFolder);
            Mounts.Mount("tmpfs", StateFolder, "tmpfs", MountFlags.MS_NOSUID | MountFlags.MS_NODEV, "mode=0755");
            if (root.Length > 0)
                MakeOverlay(root, arguments[..end]);
            OfferExecutable();
            List<string> environment = ProgramStart.InheritedEnvironment();
            environment.Add(string.Create(CultureInfo.InvariantCulture, $"LISTEN_PID={CurrentProcess.Id}"));
            environment.Add(string.Create(CultureInfo.InvariantCulture, $"LISTEN_FDS={count}"));
            CurrentProcess.Execute(arguments[end + 1], arguments[(end + 2)..], environment);
        }
        catch (PosixException e)
        {
            FdStream.StandardError.Write(PathText.ToBytes($"{e.Message}\n"));
        }
        return 1;
    }

    // A copy of what is mounted there, which process 1 mounts in the container.
    private static unsafe void OfferBind(string source, bool isRecursive, int number)
    {
        fixed (byte* path = (byte[])[.. PathText.ToBytes(source), 0])
        {
            nint copy = KernelCalls.Call(KernelCalls.open_tree, KernelCalls.AT_FDCWD, (nint)path, MountCalls.OPEN_TREE_CLONE | (isRecursive ? MountCalls.AT_RECURSIVE : 0) | MountCalls.CloseOnExec);
            using SafeFileHandle handle = copy >= 0 ? new(copy, ownsHandle: true) : throw new PosixException("open", (Errno)(-copy), source);
            CurrentProcess.PlaceDescriptor(handle, number);
        }
    }

    // Seen by nobody else, so it goes with us, however we end.
    private static void MakeOverlay(string root, string[] mountPoints)
    {
        const string Upper = $"{StateFolder}/upper", Work = $"{StateFolder}/scratch";
        using SafeFileHandle lower = Directories.Open(root);
        FileStatus status = Files.Status(lower);
        foreach (string folder in (string[])[Upper, Work, Overlay])
            Directories.MakeAll(folder);
        using (SafeFileHandle upper = Directories.Open(Upper))
        {
            Files.SetOwner(upper, status.Uid, status.Gid);
            Files.SetMode(upper, status.Mode);
        }
        string options = string.Create(CultureInfo.InvariantCulture, $"lowerdir=/proc/self/fd/{lower.DangerousGetHandle()},upperdir={Upper},workdir={Work},redirect_dir=on");
        Mounts.Mount("overlay", Overlay, "overlay", MountFlags.None, options);
        using SafeFileHandle merged = Directories.Open(Overlay);
        foreach (string mountPoint in mountPoints.Where(text => text.StartsWith(FolderMark, StringComparison.Ordinal) || text.StartsWith(FileMark, StringComparison.Ordinal)))
            ContainerTree.MakeMountPoint(merged, mountPoint[1..], mountPoint.StartsWith(FileMark, StringComparison.Ordinal));
    }

    // Process 1 runs from this descriptor, so nothing of ours has to be put into the image. It is opened through a read-only mount that
    // does not exist inside: whoever gets at /proc/1/exe cannot write to the host's file (CVE-2019-5736).
    private static void OfferExecutable()
    {
        const string Place = $"{StateFolder}/executable";
        Files.Open(Place, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, 0x180 /* 0600 */).Dispose();
        // By its path: /proc/self/exe is a file of the mounts that we have just left, which cannot be bound here.
        string self = PathText.FromBytes(Files.ReadLink(Directories.Current, "/proc/self/exe"u8));
        Mounts.Mount(self, Place, null, MountFlags.MS_BIND);
        Mounts.Mount(null, Place, null, MountFlags.MS_BIND | MountFlags.MS_REMOUNT | MountFlags.MS_RDONLY | MountFlags.MS_NOSUID);
        using SafeFileHandle executable = Files.Open(Place, OpenFlags.PathOnly);
        CurrentProcess.PlaceDescriptor(executable, ContainerDescriptors.Executable);
    }
}
