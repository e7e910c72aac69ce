using System.Runtime.InteropServices;
using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn.Boot;

/// <summary>
/// What a system that boots wants to find besides what a command does, as steps of process 1. The paths are in filesystems of our own
/// making, where nothing of the image can lead astray.
/// </summary>
internal static class BootSteps
{
    /// <summary>Where the system tells its state, and the folder for it (systemd's container interface).</summary>
    public const string NotifySocket = "/run/host/notify", HostFolder = "/run/host";

    private const string Console = "/dev/console", FirstTerminal = "/dev/pts/0";

    private const int MS_BIND = 4096;

    /// <summary>A terminal as /dev/console, which systemd wants to be one; its other end goes out, to be read for as long as the system runs.</summary>
    public static void AddConsole(PlanWriter plan, StepList steps)
    {
        const int TIOCSPTLCK = 0x40045431, ReadWrite = (int)(OpenFlags.ReadWrite | OpenFlags.NoControllingTerminal | OpenFlags.CloseOnExec);
        StepLabel label = new("make", Console);
        Register master = steps.Get(label, openat, AT_FDCWD, plan.Text("/dev/pts/ptmx"), ReadWrite, 0);
        steps.Do(label, ioctl, master, TIOCSPTLCK, plan.Struct(0));
        steps.Do(label, mknodat, AT_FDCWD, plan.Text(Console), (int)FileStatus.S_IFREG | 0x180 /* 0600 */, 0);
        steps.Do(label, mount, plan.Text(FirstTerminal), plan.Text(Console), 0, MS_BIND, 0);
        steps.Tell(label, InitReport.Kind.Console, master);
        steps.Do(label, close, master);
    }

    /// <summary>The socket that READY comes through. Only root inside can write to it.</summary>
    public static void AddNotifySocket(PlanWriter plan, StepList steps, string path = NotifySocket)
    {
        const int AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000;
        // struct sockaddr_un { u16 family; char path[108]; }
        byte[] text = PathText.ToBytes(path), address = new byte[sizeof(ushort) + text.Length + 1];
        MemoryMarshal.Write(address, (ushort)AF_UNIX);
        text.CopyTo(address.AsSpan(sizeof(ushort)));
        StepLabel label = new("make", path);
        steps.Try(label, Errno.EEXIST, mkdirat, AT_FDCWD, plan.Text(Path.GetDirectoryName(path)!), 0x1ED /* 0755 */);
        Register socket = steps.Get(label, KernelCalls.socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        steps.Do(label, umask, 0x3F /* 0077 */);
        steps.Do(label, bind, socket, plan.Bytes(address), address.Length);
        steps.Do(label, umask, 0);
        steps.Tell(label, InitReport.Kind.Notify, socket);
        steps.Do(label, close, socket);
    }

    /// <summary>The console as the standard streams: what an init says before it knows its way, and all that a simple one ever says.</summary>
    public static void AddStreams(PlanWriter plan, StepList steps)
    {
        StepLabel label = new("open", Console);
        Register console = steps.Get(label, openat, AT_FDCWD, plan.Text(Console), (int)(OpenFlags.ReadWrite | OpenFlags.NoControllingTerminal | OpenFlags.CloseOnExec), 0);
        for (int stream = 0; stream < 3; stream++)
            steps.Do(label, dup2, console, stream);
    }
}
