using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Process 1 of a container: starts the command as its user, passes signals on to it, reaps orphans, and reports exactly how the
/// command ended. When it ends, for whatever reason, the kernel kills everything else in the container.
/// </summary>
internal static class ContainerInit
{
    public static int Run()
    {
        CurrentProcess.ForbidInspection();
        CurrentProcess.SetUmask(0x12 /* 0022 */);
        Descriptor(ContainerDescriptors.Executable).Dispose();
        using FdStream control = new(Descriptor(ContainerDescriptors.Control), "control pipe", canWrite: false);
        using SafeFileHandle reports = Descriptor(ContainerDescriptors.Reports);
        // The streams are handed over to the command alone: a pipe has to end when the command closes it.
        SafeFileHandle[] streams = [Descriptor(ContainerDescriptors.Input), Descriptor(ContainerDescriptors.Output), Descriptor(ContainerDescriptors.Error)];
        if (InitPlan.Read(control) is not { } plan)
            return 1;
        InitReport.Kind step = InitReport.Kind.UserFailed;
        ChildProcess command;
        try
        {
            if (plan.Uid != 0 || plan.Gid != 0 || plan.Groups.Count > 0)
                CurrentProcess.BecomeUser(plan.Uid, plan.Gid, [.. plan.Groups]);
            if (plan.NoNewPrivileges)
                CurrentProcess.ForbidNewPrivileges();
            step = InitReport.Kind.DirectoryFailed;
            CurrentProcess.ChangeDirectory(plan.WorkingDirectory);
            step = InitReport.Kind.CommandFailed;
            command = ChildProcess.Start(new ProgramStart(Find(plan), [.. plan.Command.Skip(1)])
            {
                Argument0 = plan.Command[0],
                Environment = plan.Environment,
                Input = streams[0],
                Output = streams[1],
                Error = streams[2],
            });
        }
        catch (PosixException e)
        {
            new InitReport(step, (int)e.Errno).Send(reports);
            return 1;
        }
        foreach (SafeFileHandle stream in streams)
            stream.Dispose();
        new InitReport(InitReport.Kind.Started, 0).Send(reports);
        new Thread(() => PassSignals(control, command)) { IsBackground = true }.Start();
        InitReport.Of(command.WaitAsInit()).Send(reports);
        // Not unwound: the other thread still reads.
        CurrentProcess.ExitNow(0);
        return 0;
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

    // execvp(3), but on the command's own PATH. A file that is there and not executable is the better reason.
    private static string Find(InitPlan plan)
    {
        string program = plan.Command[0];
        if (program.Contains('/'))
            return program;
        const string Variable = "PATH=";
        string path = plan.Environment.LastOrDefault(v => v.StartsWith(Variable, StringComparison.Ordinal))?[Variable.Length..] ?? ContainerSpec.DefaultPath;
        Errno reason = Errno.ENOENT;
        foreach (string folder in path.Split(':'))
        {
            string candidate = folder.Length == 0 ? $"./{program}" : $"{folder}/{program}";
            if (ProgramStart.WhyNotExecutable(candidate) is not { } why)
                return candidate;
            if (why is not (Errno.ENOENT or Errno.ENOTDIR))
                reason = why;
        }
        throw new PosixException("find program", reason, program);
    }
}
