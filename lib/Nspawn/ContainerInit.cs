using System.Runtime.InteropServices;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Process 1 of a container that systemd-nspawn made: starts the command by a plan, as the built-in engine does, passes signals on to it, reaps orphans,
/// and reports exactly how the command ended. In a system that boots it becomes the init, once all is masked and mounted. When it ends, for whatever reason, the kernel kills everything else in the container.
/// </summary>
internal static unsafe class ContainerInit
{
    public static int Run()
    {
        CurrentProcess.ForbidInspection();
        CurrentProcess.SetUmask(0x12 /* 0022 */);
        Descriptor(ContainerDescriptors.Executable).Dispose();
        using FdStream control = new(Descriptor(ContainerDescriptors.Control), "control pipe", canWrite: false);
        using SafeFileHandle reports = Descriptor(ContainerDescriptors.Reports);
        if (LoadedPlan.Read(control) is not { } plan)
            return 1;
        int[] forwarded = [.. Enumerable.Range(ContainerDescriptors.FirstForwarded, (int)plan.Plan->ForwardedCount)];
        CloneContext context = new()
        {
            Input = ContainerDescriptors.Input,
            Output = ContainerDescriptors.Output,
            Error = ContainerDescriptors.Error,
            Reports = ContainerDescriptors.Reports,
            Control = ContainerDescriptors.Control,
            Forwarded = CloneContext.Numbers(forwarded),
        };
        if (plan.Plan->IsInit != 0)
        {
            // What nspawn tells the init of a system, but not of what it handed us.
            plan.Plan->Environment = Texts(ProgramStart.InheritedEnvironment().Where(variable => !variable.StartsWith("LISTEN_", StringComparison.Ordinal)));
            ContainerChild.BecomeInit(plan.Plan, &context);
        }
        // Who counts from outside has another number for us.
        using (SafeFileHandle self = new((nint)KernelCalls.Call(KernelCalls.pidfd_open, CurrentProcess.Id), ownsHandle: true))
            new InitReport(InitReport.Kind.Made, 0).Send(reports, self);
        // Before there is a command, whose processes may use up all that a limit allows.
        ChildProcess? passedTo = null;
        using SafeFileHandle go = StartThread(() => PassSignals(control, passedTo!), reports);
        ChildProcess command = ChildProcess.Adopt(ContainerChild.StartCommand(plan.Plan, &context), "command");
        // The streams are the command's alone: a pipe has to end when the command closes it.
        foreach (int stream in (int[])[ContainerDescriptors.Input, ContainerDescriptors.Output, ContainerDescriptors.Error, .. forwarded])
            Descriptor(stream).Dispose();
        passedTo = command;
        go.Dispose();
        InitReport.Of(command.WaitAsInit()).Send(reports);
        // Not unwound: the other thread still reads.
        CurrentProcess.ExitNow(0);
        return 0;
    }

    // A thread that waits until what is returned is closed: in a call of the kernel, so that no collection of garbage can begin while the command is cloned
    // (docs/decisions.md, "Who may clone").
    private static SafeFileHandle StartThread(Action work, SafeFileHandle reports)
    {
        (SafeFileHandle gate, SafeFileHandle go) = Pipes.Make();
        (SafeFileHandle ready, SafeFileHandle isThere) = Pipes.Make();
        try
        {
            new Thread(() =>
            {
                Wait(isThere, gate);
                work();
            })
            { IsBackground = true }.Start();
        }
        catch (OutOfMemoryException)
        {
            // So .NET says that there may be no more threads.
            new InitReport(InitReport.Kind.ForkFailed, (int)Errno.EAGAIN).Send(reports);
            CurrentProcess.ExitNow(1);
        }
        Files.Read(ready, stackalloc byte[1]);
        return go;
    }

    // Without an allocation, by which a collection could begin.
    private static void Wait(SafeFileHandle isThere, SafeFileHandle gate)
    {
        Span<byte> word = stackalloc byte[1];
        Files.Write(isThere, word);
        Files.Read(gate, word);
    }

    // As execve(2) wants them; never given back.
    private static byte** Texts(IEnumerable<string> texts)
    {
        byte[][] all = [.. texts.Select(PathText.ToBytes)];
        byte** array = (byte**)NativeMemory.AllocZeroed((nuint)all.Length + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < all.Length; i++)
        {
            array[i] = (byte*)NativeMemory.AllocZeroed((nuint)all[i].Length + 1);
            all[i].CopyTo(new Span<byte>(array[i], all[i].Length));
        }
        return array;
    }

    private static SafeFileHandle Descriptor(int number) => new(number, ownsHandle: true);

    private static void PassSignals(FdStream control, ChildProcess command)
    {
        try
        {
            while (control.ReadByte() is var signal and >= 0)
                command.Kill((Signal)signal);
        }
        finally
        {
            // The tool outside is gone, however it ended: everything in here ends with us.
            CurrentProcess.ExitNow(1);
        }
    }
}
