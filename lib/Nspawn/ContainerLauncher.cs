using System.Runtime.InteropServices;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Clones the process 1 of a container on behalf of a program that must not clone itself, because it has other threads. Started with the
/// command's standard streams, the report pipe and the control pipe, on which the plan comes first; ends when the container has ended.
/// </summary>
internal static unsafe class ContainerLauncher
{
    public const int Reports = 3, Control = 4;

    private const int FirstForwarded = 5;

    // What comes to a whole process group: a shell's ^C, timeout(1). The tool ends the container then, and we clear up after it. The container has them as always
    // (ContainerChild).
    private static ReadOnlySpan<Signal> OfGroups => [Signal.SIGHUP, Signal.SIGINT, Signal.SIGQUIT, Signal.SIGTERM];

    /// <summary>As the last argument: the last descriptor is that of a process whose container is to be entered.</summary>
    public const string EnterMark = "enter";

    public static int Run(bool hasTarget)
    {
        foreach (Signal signal in OfGroups)
            Signals.Ignore(signal);
        using SafeFileHandle reports = new(Reports, ownsHandle: true), control = new(Control, ownsHandle: true);
        using FdStream stream = new(control, "control pipe", canWrite: false);
        // Nobody is left who wants a container.
        if (LoadedPlan.Read(stream) is not { } plan)
            return 1;
        int count = (int)plan.Plan->ForwardedCount;
        int* forwarded = CloneContext.Numbers([.. Enumerable.Range(FirstForwarded, count)]);
        CloneContext context = new() { Input = 0, Output = 1, Error = 2, Reports = Reports, Control = Control, Forwarded = forwarded, Target = hasTarget ? FirstForwarded + count : 0 };
        int id;
        try
        {
            id = MappedClone.Start(plan.Plan, &context);
        }
        catch (Exception e) when (e is ContainerException or OuterStepException)
        {
            if (e is OuterStepException failed)
                failed.Report.Send(reports);
            else
                Tell(e.Message, reports);
            CgroupTree.Remove(Texts(plan.Plan->CgroupTrees));
            return 1;
        }
        if (id < 0)
        {
            new InitReport(InitReport.Kind.CloneFailed, -id).Send(reports);
            return 1;
        }
        try
        {
            new InitReport(InitReport.Kind.Made, id).Send(reports);
        }
        catch (PosixException)
        {
            // The tool is gone, and so will be the container: its end is still to be waited for.
        }
        foreach (int fd in (int[])[0, 1, 2, .. Enumerable.Range(FirstForwarded, count + (hasTarget ? 1 : 0))])
            KernelCalls.Call(KernelCalls.close, fd);
        if (plan.Plan->IsInit != 0)
            Watch(id, reports);
        else
        {
            // The reports are to end with the container, not with us.
            reports.Dispose();
            int status;
            while (KernelCalls.Wait(id, &status) == -(int)Errno.EINTR)
            {
            }
        }
        if (*plan.Plan->CgroupTrees != null)
        {
            // The tool may still want to read what the kernel counted there.
            ReadToEnd(stream);
            CgroupTree.Remove(Texts(plan.Plan->CgroupTrees));
        }
        return 0;
    }

    // Words fit into no report, but a pipe holds some.
    private static void Tell(string message, SafeFileHandle reports)
    {
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        {
            using (write)
                Files.Write(write, PathText.ToBytes(message));
            new InitReport(InitReport.Kind.Refused, 0).Send(reports, read);
        }
    }

    // Process 1 is the image's own and knows nothing of us: signals are sent to it from here, and how it ended is told from here.
    private static void Watch(int id, SafeFileHandle reports)
    {
        using ProcessReference? process = ProcessReference.TryOpen(id);
        int* polls = stackalloc int[4];
        (polls[0], polls[1], polls[2], polls[3]) = ((int)process!.Handle.DangerousGetHandle(), KernelCalls.POLLIN, Control, KernelCalls.POLLIN);
        while (true)
        {
            KernelCalls.Poll(polls, 2);
            if (polls[1] >> 16 != 0)
                break;
            byte signal;
            if (polls[3] >> 16 != 0 && KernelCalls.Call(KernelCalls.read, Control, (nint)(&signal), 1) is var length && length != -(int)Errno.EINTR)
            {
                KernelCalls.Call(KernelCalls.kill, id, length == 1 ? signal : (int)Signal.SIGKILL);
                // The end is told once.
                if (length != 1)
                    polls[2] = -1;
            }
        }
        int status = 0;
        while (KernelCalls.Wait(id, &status) == -(int)Errno.EINTR)
        {
        }
        try
        {
            InitReport.Of(ProcessExit.FromWaitStatus(status)).Send(reports);
        }
        catch (PosixException)
        {
            // Nobody is left to be told.
        }
        reports.Dispose();
    }

    private static List<string> Texts(byte** texts)
    {
        List<string> list = [];
        for (; *texts != null; texts++)
            list.Add(PathText.FromBytes(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(*texts)));
        return list;
    }

    // What comes are signals for nobody; the end says that the tool has seen what it wanted to see of the container.
    private static void ReadToEnd(FdStream stream)
    {
        Span<byte> ignored = stackalloc byte[64];
        while (stream.Read(ignored) > 0)
        {
        }
    }
}
