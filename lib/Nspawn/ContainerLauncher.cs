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

    public static int Run()
    {
        using SafeFileHandle reports = new(Reports, ownsHandle: true), control = new(Control, ownsHandle: true);
        using FdStream stream = new(control, "control pipe", canWrite: false);
        // Nobody is left who wants a container.
        if (LoadedPlan.Read(stream) is not { } plan)
            return 1;
        int count = (int)plan.Plan->ForwardedCount;
        int* forwarded = CloneContext.Numbers([.. Enumerable.Range(FirstForwarded, count)]);
        CloneContext context = new() { Input = 0, Output = 1, Error = 2, Reports = Reports, Control = Control, Forwarded = forwarded };
        int id;
        try
        {
            id = MappedClone.Start(plan.Plan, &context);
        }
        catch (ContainerException e)
        {
            Tell(e.Message, reports);
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
        // The reports are to end with the container, not with us.
        reports.Dispose();
        foreach (int fd in (int[])[0, 1, 2, .. Enumerable.Range(FirstForwarded, count)])
            KernelCalls.Call(KernelCalls.close, fd);
        int status;
        while (KernelCalls.Wait(id, &status) == -(int)Errno.EINTR)
        {
        }
        if (plan.Plan->AfterCount > 0)
        {
            ReadToEnd(stream);
            ContainerChild.PerformAll(plan.Plan->After, plan.Plan->AfterCount);
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

    // What comes are signals for nobody; the end says that the tool has seen what it wanted to see of the container.
    private static void ReadToEnd(FdStream stream)
    {
        Span<byte> ignored = stackalloc byte[64];
        while (stream.Read(ignored) > 0)
        {
        }
    }
}
