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

    public static int Run()
    {
        using SafeFileHandle reports = new(Reports, ownsHandle: true), control = new(Control, ownsHandle: true);
        using FdStream stream = new(control, "control pipe", canWrite: false);
        // Nobody is left who wants a container.
        if (LoadedPlan.Read(stream) is not { } plan)
            return 1;
        CloneContext context = new() { Input = 0, Output = 1, Error = 2, Reports = Reports, Control = Control };
        int id = ContainerChild.Start(plan.Plan, &context);
        if (id < 0)
        {
            new InitReport(InitReport.Kind.CloneFailed, -id).Send(reports);
            return 1;
        }
        // The pipes are to end with the container, not with us.
        reports.Dispose();
        control.Dispose();
        for (int fd = 0; fd < 3; fd++)
            KernelCalls.Call(KernelCalls.close, fd);
        int status;
        while (KernelCalls.Wait(id, &status) == -(int)Errno.EINTR)
        {
        }
        return 0;
    }
}
