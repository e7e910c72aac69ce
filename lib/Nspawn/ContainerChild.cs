using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>
/// What runs between clone3 and execve, and as process 1 afterwards: this very process image, with one thread and no runtime that could
/// help. So: no allocation, no exception, no string, no static that has to be initialised, no call but those of <see cref="KernelCalls"/>.
/// <para>
/// Whoever clones must have no other managed thread at work. A thread that is being stopped for a garbage collection at the moment of the
/// clone leaves a flag in the child that makes it wait for ever at its next return from a system call.
/// </para>
/// </summary>
internal static unsafe class ContainerChild
{
    private const int SIGKILL = 9, SIGCHLD = 17, SignalMax = 64;
    private const int EINTR = 4, EAGAIN = 11, ENOENT = 2, EACCES = 13, ENOTDIR = 20;
    private const int SIG_BLOCK = 0, SIG_SETMASK = 2, SignalSetSize = 8;
    private const int WNOHANG = 1;
    private const short POLLIN = 1;

    /// <summary>What a process ends with that never became the command; what it reported before says why.</summary>
    private const int NotStarted = 125;

    // struct clone_args (linux/sched.h), as of its second version.
    [StructLayout(LayoutKind.Sequential)]
    private struct CloneArguments
    {
        public ulong Flags, PidFd, ChildTid, ParentTid, ExitSignal, Stack, StackSize, Tls, SetTid, SetTidSize, Cgroup;
    }

    /// <summary>Makes the namespaces and process 1 in them. Returns its number, or minus the error number, and only in the parent.</summary>
    public static int Start(KernelPlan* plan, CloneContext* context)
    {
        ulong all = ulong.MaxValue, before;
        CloneArguments arguments = new() { Flags = plan->CloneFlags, ExitSignal = SIGCHLD };
        // No signal may reach the child before it is ready for it.
        Call(rt_sigprocmask, SIG_BLOCK, (nint)(&all), (nint)(&before), SignalSetSize);
        nint id = Clone(&arguments, plan, context);
        Call(rt_sigprocmask, SIG_SETMASK, (nint)(&before), 0, SignalSetSize);
        return (int)id;
    }

    // Takes what comes with the sign that the users are mapped.
    private static void AwaitMaps(KernelPlan* plan, CloneContext* context, int* registers)
    {
        const int MSG_CMSG_CLOEXEC = 0x40000000, F_DUPFD_CLOEXEC = 1030, FirstFree = 3;
        byte sign;
        nint* vector = stackalloc nint[2], control = stackalloc nint[OuterMounts.ControlWords], header = stackalloc nint[7];
        nint length;
        // Else it would not end when whoever cloned us did so before we asked for the signal.
        Call(close, context->MappedEnd);
        do
        {
            (vector[0], vector[1]) = ((nint)(&sign), 1);
            (header[0], header[1], header[2], header[3], header[4], header[5], header[6]) = (0, 0, (nint)vector, 1, (nint)control, OuterMounts.ControlWords * sizeof(nint), 0);
            length = Call(recvmsg, context->Mapped, (nint)header, MSG_CMSG_CLOEXEC);
        }
        while (length == -EINTR);
        if (length != 1)
            Call(exit_group, NotStarted);
        for (long i = 0; i < plan->OuterCount; i++)
        {
            int descriptor = ((int*)(control + 2))[i];
            if (descriptor < FirstFree)
            {
                // One of those places is for a standard stream.
                int moved = (int)Call(fcntl, descriptor, F_DUPFD_CLOEXEC, FirstFree);
                Call(close, descriptor);
                descriptor = moved;
            }
            registers[plan->Outer[i].Register] = descriptor;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Clone(CloneArguments* arguments, KernelPlan* plan, CloneContext* context)
    {
        nint id = Call(clone3, (nint)arguments, sizeof(CloneArguments));
        if (id == 0)
            BeProcess1(plan, context);
        return id;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void BeProcess1(KernelPlan* plan, CloneContext* context)
    {
        const int PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, PR_SET_NAME = 15;
        // The thread that cloned is one that lives as long as its process. Should it be gone already, the control pipe has ended.
        Call(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        int* registers = stackalloc int[KernelStep.RegisterCount];
        // First, because nobody may write the maps of a process that cannot be looked into.
        if (plan->UserMap != null)
            AwaitMaps(plan, context, registers);
        Call(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
        Call(prctl, PR_SET_NAME, Literal("init\0"u8), 0, 0, 0);
        Call(setsid);
        for (long i = 0; i < context->CommandLineLength; i++)
            context->CommandLine[i] = 0;
        ResetSignals();
        int reports = context->Reports;
        Place(context->Input, 0, reports);
        Place(context->Output, 1, reports);
        Place(context->Error, 2, reports);
        // Among what goes is our copy of the tool's end of the control pipe, without which that would never end.
        KeepOnly(3, reports, context, plan, registers);
        registers[KernelStep.TargetRegister] = context->Target;
        Call(umask, 0);
        Perform(plan->Setup, plan->SetupCount, (int)plan->FirstStep, registers, reports);
        Call(umask, 0x12 /* 0022 */);
        ulong all = ulong.MaxValue;
        int signals = (int)Call(signalfd4, -1, (nint)(&all), SignalSetSize, 0x80800 /* SFD_CLOEXEC | SFD_NONBLOCK */);
        if (signals < 0 || (plan->IsHeld != 0 ? !IsReleased(context->Control) : HasEnded(context->Control)))
            Call(exit_group, NotStarted);
        Report(InitReport.Kind.Started, 0, reports);
        if (plan->IsInit != 0)
        {
            CommandStart start = new() { Plan = plan, Context = context, Registers = registers, Reports = reports };
            BecomeCommand(&start);
        }
        int command = Start(plan, context, registers, reports, &BecomeCommand);
        if (command < 0)
            Fail(InitReport.Kind.ForkFailed, -command, reports);
        // The standard streams are the command's alone: a pipe has to end when the command closes it.
        KeepOnly(0, reports, context->Control, signals);
        KeepOnlyKill();
        Watch(command, signals, context->Control, reports);
    }

    /// <summary>
    /// For a process 1 that exists already, with a runtime and no other managed thread: makes the steps before the command, then starts it.
    /// Returns the command's number. What fails is reported, and the process ends.
    /// </summary>
    public static int StartCommand(KernelPlan* plan, CloneContext* context)
    {
        int* registers = stackalloc int[KernelStep.RegisterCount];
        ulong all = ulong.MaxValue, before;
        Perform(plan->Setup, plan->SetupCount, (int)plan->FirstStep, registers, context->Reports);
        Report(InitReport.Kind.Started, 0, context->Reports);
        Call(rt_sigprocmask, SIG_BLOCK, (nint)(&all), (nint)(&before), SignalSetSize);
        int command = Start(plan, context, registers, context->Reports, &BeForked);
        Call(rt_sigprocmask, SIG_SETMASK, (nint)(&before), 0, SignalSetSize);
        if (command < 0)
            Fail(InitReport.Kind.ForkFailed, -command, context->Reports);
        KeepOnlyKill();
        return command;
    }

    /// <summary>
    /// For a process 1 that exists already, with a runtime and no other managed thread: makes all steps, then becomes the command itself. Comes back never: what fails
    /// is reported, and the process ends.
    /// </summary>
    public static void BecomeInit(KernelPlan* plan, CloneContext* context)
    {
        int* registers = stackalloc int[KernelStep.RegisterCount];
        ulong all = ulong.MaxValue;
        Perform(plan->Setup, plan->SetupCount, (int)plan->FirstStep, registers, context->Reports);
        // From here on nothing may call the runtime's handlers.
        Call(rt_sigprocmask, SIG_BLOCK, (nint)(&all), 0, SignalSetSize);
        ResetSignals();
        CommandStart start = new() { Plan = plan, Context = context, Registers = registers, Reports = context->Reports };
        BecomeCommand(&start);
        Call(exit_group, NotStarted);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct CommandStart
    {
        public KernelPlan* Plan;
        public CloneContext* Context;
        public int* Registers;
        public int Reports;
    }

    // As vfork: the new process uses our memory, which we leave alone until it has become the command or has ended. Copied page tables would
    // only be thrown away again, a twentieth of a start. Its stack is the unused part of ours.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Start(KernelPlan* plan, CloneContext* context, int* registers, int reports, delegate*<CommandStart*, int> begin)
    {
        const int CLONE_VM = 0x100, CLONE_VFORK = 0x4000, OwnStack = 16 * 1024, Alignment = 16, PR_SET_DUMPABLE = 4;
        CommandStart start = new() { Plan = plan, Context = context, Registers = registers, Reports = reports };
        nint id = CloneInto((nint)begin, ((nint)(&start) - OwnStack) & -Alignment, CLONE_VM | CLONE_VFORK | SIGCHLD, (nint)(&start));
        // Its change of user has made the memory of both dumpable, where the system is set up so.
        Call(prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
        return (int)id;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int BeForked(CommandStart* start)
    {
        CloneContext* context = start->Context;
        ResetSignals();
        Place(context->Input, 0, context->Reports);
        Place(context->Output, 1, context->Reports);
        Place(context->Error, 2, context->Reports);
        return BecomeCommand(start);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int BecomeCommand(CommandStart* start)
    {
        const int CLOSE_RANGE_CLOEXEC = 4;
        KernelPlan* plan = start->Plan;
        CloneContext* context = start->Context;
        int* registers = start->Registers;
        int reports = start->Reports;
        ulong none = 0;
        Call(setsid);
        Perform(plan->Enter, plan->EnterCount, (int)(plan->FirstStep + plan->SetupCount), registers, reports);
        if (plan->ForwardedCount > 0)
            reports = Forward(context->Forwarded, (int)plan->ForwardedCount, reports);
        Call(close_range, (nint)(3 + plan->ForwardedCount), int.MaxValue, CLOSE_RANGE_CLOEXEC);
        if (plan->ListenPid != null)
            WriteDigits((int)Call(getpid), plan->ListenPid);
        Call(rt_sigprocmask, SIG_SETMASK, (nint)(&none), 0, SignalSetSize);
        // A file that is there and cannot be executed is the better reason.
        int reason = ENOENT;
        for (byte** program = plan->Programs; *program != null; program++)
        {
            int error = (int)-Call(execve, (nint)(*program), (nint)plan->Arguments, (nint)plan->Environment);
            if (error is ENOENT or ENOTDIR)
                continue;
            reason = error;
            if (error != EACCES)
                break;
        }
        Fail(InitReport.Kind.CommandFailed, reason, reports);
        return NotStarted;
    }

    // Reaps whatever ends in the container and passes signals on, until the command has ended or the tool outside is gone.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Watch(int command, int signals, int control, int reports)
    {
        const int SignalInfoSize = 128;
        // struct pollfd { int fd; short events, revents; }
        int* polls = stackalloc int[4];
        // struct signalfd_siginfo { u32 signo; s32 errno, code; u32 pid; … }
        int* info = stackalloc int[SignalInfoSize / sizeof(int)];
        while (true)
        {
            (polls[0], polls[1], polls[2], polls[3]) = (signals, POLLIN, control, POLLIN);
            Call(poll, (nint)polls, 2, -1);
            while (Call(read, signals, (nint)info, SignalInfoSize) == SignalInfoSize)
            {
                (int signal, int code, int sender) = (info[0], info[2], info[3]);
                if (signal == SIGCHLD)
                    Reap(command, reports);
                // Sent by somebody, not raised by the kernel, and from outside: in here nobody has a say over process 1.
                else if (code <= 0 && sender == 0)
                    Call(kill, command, signal);
            }
            if (polls[3] >> 16 != 0)
                Obey(command, control);
        }
    }

    private static void Obey(int command, int control)
    {
        byte signal;
        nint length = Call(read, control, (nint)(&signal), 1);
        if (length == 1)
            Call(kill, command, signal);
        else if (length != -EINTR)
            Call(exit_group, 1);
    }

    private static void Reap(int command, int reports)
    {
        while (true)
        {
            int status;
            nint id = Call(wait4, -1, (nint)(&status), WNOHANG, 0);
            if (id <= 0)
                return;
            if (id != command)
                continue;
            // WIFEXITED and its kin (bits/waitstatus.h)
            int killer = status & 0x7F;
            Report(killer == 0 ? InitReport.Kind.Exited : InitReport.Kind.Killed, killer == 0 ? status >> 8 & 0xFF : killer, reports);
            Call(exit_group, 0);
        }
    }

    private static void Perform(KernelStep* steps, long count, int first, int* registers, int reports)
    {
        for (long i = 0; i < count; i++)
        {
            KernelStep* step = steps + i;
            nint result;
            // EAGAIN: it could not be sure that nothing led out, because something was being renamed.
            do
            {
                result = step->Call == KernelStep.Tell
                    ? ReportWith((InitReport.Kind)step->Arguments[0], 0, (int)Argument(step, 1, registers), reports)
                    : Call(step->Call, Argument(step, 0, registers), Argument(step, 1, registers), Argument(step, 2, registers),
                    Argument(step, 3, registers), Argument(step, 4, registers), Argument(step, 5, registers));
            }
            while (result == -EINTR || (result == -EAGAIN && step->Call == openat2));
            if (result >= 0)
            {
                if (step->Result != 0)
                    registers[step->Result] = (int)result;
                i += step->SkippedWhenDone;
            }
            else if (step->Tolerated != 0 && result == -step->Tolerated)
                i += step->SkippedWhenTolerated;
            else
                Fail(InitReport.Kind.StepFailed, InitReport.StepAndErrno(first + (int)i, (int)-result), reports);
        }
    }

    internal static nint Argument(KernelStep* step, int number, int* registers) =>
        (step->FromRegister >> number & 1) != 0 ? registers[step->Arguments[number]] : (nint)step->Arguments[number];

    private static void Place(int fd, int number, int reports)
    {
        nint result = fd == number ? 0 : Call(dup2, fd, number);
        if (result < 0)
            Fail(InitReport.Kind.DescriptorFailed, (int)-result, reports);
    }

    // Handlers were reset by the clone; what is ignored would stay so in the command. .NET ignores SIGPIPE, and whoever started us may
    // ignore SIGCHLD, whereupon the kernel would throw exit statuses away.
    private static void ResetSignals()
    {
        // The kernel's struct sigaction: handler, flags, restorer, mask; all zero is SIG_DFL.
        ulong* byDefault = stackalloc ulong[4];
        for (int i = 0; i < 4; i++)
            byDefault[i] = 0;
        for (int signal = 1; signal <= SignalMax; signal++)
            Call(rt_sigaction, signal, (nint)byDefault, 0, SignalSetSize);
    }

    // False: nobody is left who could say so.
    private static bool IsReleased(int control)
    {
        byte word;
        nint length;
        do
            length = Call(read, control, (nint)(&word), 1);
        while (length == -EINTR);
        return length == 1;
    }

    private static bool HasEnded(int pipe)
    {
        int* polls = stackalloc int[2];
        (polls[0], polls[1]) = (pipe, 0);
        return Call(poll, (nint)polls, 1, 0) != 0;
    }

    // Gives them the numbers from 3 on. Last of all, so that no descriptor of a step is in their way; ours moves out of it.
    private static int Forward(int* descriptors, int count, int reports)
    {
        const int F_DUPFD_CLOEXEC = 1030, First = 3;
        int moved = (int)Call(fcntl, reports, F_DUPFD_CLOEXEC, First + count);
        if (moved < 0)
            Fail(InitReport.Kind.DescriptorFailed, -moved, reports);
        for (int i = 0; i < count; i++)
        {
            descriptors[i] = (int)Call(fcntl, descriptors[i], F_DUPFD_CLOEXEC, First + count);
            if (descriptors[i] < 0)
                Fail(InitReport.Kind.DescriptorFailed, -descriptors[i], moved);
        }
        for (int i = 0; i < count; i++)
            Place(descriptors[i], First + i, moved);
        return moved;
    }

    // There is room for every process number, and zeros.
    private static void WriteDigits(int number, byte* text)
    {
        int unit = 1;
        while (number / unit >= 10)
            unit *= 10;
        for (; unit > 0; unit /= 10)
            *text++ = (byte)('0' + number / unit % 10);
    }

    // Of the descriptors from "first" on.
    private static void KeepOnly(int first, int reports, CloneContext* context, KernelPlan* plan, int* registers)
    {
        while (true)
        {
            int next = Math.Min(NotBelow(first, reports), NotBelow(first, context->Control));
            if (context->Target != 0)
                next = Math.Min(next, NotBelow(first, context->Target));
            for (long i = 0; i < plan->ForwardedCount; i++)
                next = Math.Min(next, NotBelow(first, context->Forwarded[i]));
            for (long i = 0; i < plan->OuterCount; i++)
                next = Math.Min(next, NotBelow(first, registers[plan->Outer[i].Register]));
            Close(first, next - 1);
            if (next == int.MaxValue)
                return;
            first = next + 1;
        }
    }

    private static int NotBelow(int first, int fd) => fd >= first ? fd : int.MaxValue;

    // Of the descriptors from "first" on.
    private static void KeepOnly(int first, int a, int b, int c)
    {
        int low = Math.Min(a, Math.Min(b, c)), high = Math.Max(a, Math.Max(b, c)), middle = a + b + c - low - high;
        Close(first, low - 1);
        Close(low + 1, middle - 1);
        Close(middle + 1, high - 1);
        Close(high + 1, int.MaxValue);
    }

    private static void Close(int from, int to)
    {
        if (from <= to)
            Call(close_range, from, to, 0);
    }

    // All that process 1 may still do is to send signals to a command that is another user.
    private static void KeepOnlyKill()
    {
        const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522, CAP_KILL = 1 << 5;
        uint* header = stackalloc uint[2], data = stackalloc uint[6];
        (header[0], header[1]) = (_LINUX_CAPABILITY_VERSION_3, 0);
        (data[0], data[1], data[2], data[3], data[4], data[5]) = (CAP_KILL, CAP_KILL, 0, 0, 0, 0);
        Call(capset, (nint)header, (nint)data);
    }

    private static void Fail(InitReport.Kind what, int value, int reports)
    {
        Report(what, value, reports);
        Call(exit_group, NotStarted);
    }

    private static void Report(InitReport.Kind what, int value, int reports) => ReportWith(what, value, -1, reports);

    // With a descriptor, of which the tool outside gets a copy; -1: none.
    private static nint ReportWith(InitReport.Kind what, int value, int descriptor, int reports)
    {
        const int SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000;
        byte* record = stackalloc byte[InitReport.Size];
        record[0] = (byte)what;
        *(int*)(record + 1) = value;
        // struct iovec { void *base; size_t length; }
        nint* vector = stackalloc nint[2];
        (vector[0], vector[1]) = ((nint)record, InitReport.Size);
        // struct cmsghdr { size_t length; int level, type; } and the descriptor
        nint* control = stackalloc nint[3];
        (control[0], control[1], control[2]) = (20, SOL_SOCKET | (nint)SCM_RIGHTS << 32, descriptor);
        // struct msghdr { void *name; unsigned name_length; iovec *; size_t count; void *control; size_t length; int flags; }
        nint* header = stackalloc nint[7];
        (header[0], header[1], header[2], header[3], header[6]) = (0, 0, (nint)vector, 1, 0);
        (header[4], header[5]) = descriptor < 0 ? (0, 0) : ((nint)control, (nint)3 * sizeof(nint));
        return Call(sendmsg, reports, (nint)header, MSG_NOSIGNAL);
    }
}
