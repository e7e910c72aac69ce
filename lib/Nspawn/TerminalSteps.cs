using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>The steps that make a container's terminal and give it to the command, in both engines.</summary>
internal static class TerminalSteps
{
    // asm-generic/ioctls.h
    private const int TIOCSCTTY = 0x540E, TIOCSWINSZ = 0x5414, TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441;
    private const int AT_EMPTY_PATH = 0x1000, Unchanged = -1;

    /// <summary>Process 1 opens both ends, while nobody else is inside, and sends one out. Returns the other.</summary>
    /// <param name="spec">Has a terminal.</param>
    /// <param name="plan">Where bytes go.</param>
    /// <param name="steps">What process 1 does.</param>
    /// <param name="pts">The devpts filesystem of the container.</param>
    public static Register Open(ContainerSpec spec, PlanWriter plan, StepList steps, Register pts)
    {
        const int Flags = (int)(OpenFlags.ReadWrite | OpenFlags.NoControllingTerminal | OpenFlags.CloseOnExec);
        StepLabel label = new("open terminal", "/dev/pts/ptmx");
        Register master = steps.Get(label, openat, pts, plan.Text("ptmx"), Flags);
        steps.Do(label, ioctl, master, TIOCSPTLCK, plan.Struct(0));
        // Not by its name.
        Register slave = steps.Get(label, ioctl, master, TIOCGPTPEER, Flags);
        steps.Do(label, ioctl, master, TIOCSWINSZ, plan.Struct(spec.Terminal!.Size));
        if (spec.User.Uid != 0)
            steps.Do(label, fchownat, slave, plan.Text(""), spec.User.Uid, Unchanged, AT_EMPTY_PATH);
        steps.Tell(label, InitReport.Kind.Terminal, master);
        steps.Do(label, close, master);
        return slave;
    }

    /// <summary>
    /// Where programs that speak to the machine's console find somebody. Onto a file that process 1 has just made in a filesystem of ours, before
    /// anybody else is inside, so nothing else can be in its place (CVE-2025-52565).
    /// </summary>
    public static void ShowAsConsole(StepList steps, Register dev, Register terminal)
    {
        const string Name = "console";
        const int FileMode = 0x1A4 /* 0644 */;
        PlanWriter plan = steps.Plan;
        StepLabel label = new("mount", "/dev/console");
        steps.Do(label, mknodat, dev, plan.Text(Name), (int)FileStatus.S_IFREG | FileMode, 0);
        Register node = steps.Get(label, open_tree, terminal, plan.Text(""), MountCalls.OPEN_TREE_CLONE | AT_EMPTY_PATH | MountCalls.CloseOnExec);
        Register target = steps.Get(label, openat2, dev, plan.Text(Name), steps.How(MountCalls.PathOnly, MountCalls.RESOLVE_NO_SYMLINKS | MountCalls.RESOLVE_BENEATH), MountCalls.OpenHowSize);
        steps.Close(steps.Mount(label.Path, node, target));
    }

    /// <summary>The command's process, leader of a session without a terminal, takes it as its own.</summary>
    public static void Attach(ContainerSpec spec, StepList steps, Register slave)
    {
        StepLabel label = new("take terminal", "/dev/pts/0");
        steps.Do(label, ioctl, slave, TIOCSCTTY, 0);
        SafeFileHandle?[] streams = [spec.Input, spec.Output, spec.Error];
        for (int number = 0; number < streams.Length; number++)
        {
            if (streams[number] is null)
                steps.Do(label, dup2, slave, number);
        }
    }
}
