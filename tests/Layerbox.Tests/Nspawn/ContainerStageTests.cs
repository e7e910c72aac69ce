using System.Buffers.Binary;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>Every stage of the making of a container goes wrong once: each step of its plan fails, or hangs while the launcher is killed.</summary>
public class ContainerStageTests
{
    // No such call, and one that waits for ever (unistd_64.h).
    private const int Failing = 9999, Hanging = 34;

    // Where things are in a plan: see LoadedPlan.Encode, KernelPlan and KernelStep.
    private const int SetupAt = 8, SetupCountAt = 16, OuterAt = 32, OuterCountAt = 40, EnterAt = 56, EnterCountAt = 64, StepSize = 64, ToleratedAt = 5;

    private static readonly ParallelOptions FourAtOnce = new() { MaxDegreeOfParallelism = 4 };

    // A bit of everything that a plan can hold.
    private static ContainerSpec Spec(ContainerRoot root) => root.Shell("exit 7") with
    {
        Ephemeral = true,
        ReadOnly = true,
        Binds = [new ContainerBind("/etc/hostname", "/in/deep/name", ReadOnly: true)],
        Overlays = ["/usr/lib", "/made/here"],
        Tmpfs = ["/mem"],
        Masks = ["/etc/passwd", "/usr/bin/touch", "/etc"],
        ReadOnlyPaths = ["/usr"],
        NoNewPrivileges = true,
        User = new ContainerUser(33, 34, [4], "/"),
        Umask = 7,
        OutOfMemoryScore = 5,
    };

    // With users of the host, or of its own.
    private static UserNamespace? Users(bool own) => own ? new UserRange(1000000, 65536).Namespace() : null;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_that_fails_is_told_and_nothing_is_left(bool hasOwnUsers)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        ContainerSpec spec = Spec(root) with { Limits = new ContainerLimits { Processes = 100 }, Users = Users(hasOwnUsers) };
        byte[] one = BuiltinPlan.Of(spec).Bytes;
        int steps = Count(one), outer = Number(one, OuterCountAt), skipped = 0;
        Assert.Equal(hasOwnUsers, outer > 0);
        string mark = $"MARK={Guid.NewGuid():N}", before = root.Listing();
        Parallel.For(0, steps, FourAtOnce, i =>
        {
            // Each has a control group of its own.
            BuiltinPlan plan = BuiltinPlan.Of(spec);
            using Launched launched = new(root, Alter(plan.Bytes, i, Failing), mark);
            List<InitReport> reports = launched.ReadToEnd();
            if (reports.Any(report => report is { What: InitReport.Kind.Exited, Value: 7 }))
                Interlocked.Increment(ref skipped);
            else
                // First of all: a command that never was ends as well.
                Assert.Equal((InitReport.Kind.StepFailed, i, Errno.ENOSYS), reports.Where(report => report.What is not (InitReport.Kind.Made or InitReport.Kind.Started)).Select(report => (report.What, report.Step, report.StepErrno)).First());
            Assert.Equal(i < outer ? 1 : 0, launched.Process.Wait().Status);
            Assert.NotEqual("", plan.Label(i).Explain(Errno.ENOSYS).Message);
            Assert.DoesNotContain(Enumerable.Range(0, steps).Select(step => plan.Label(step)), label => label.Call == StepLabel.MakeControlGroup && System.IO.Directory.Exists(label.Path));
        });
        // What makes a mount point that is there already, and masks of what this kernel does not have.
        Assert.InRange(skipped, 1, steps / 2);
        Assert.Empty(Processes(mark));
        Assert.Equal(before, root.Listing());
        Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root.Path, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_launcher_that_is_killed_while_a_step_hangs_leaves_nothing(bool hasOwnUsers)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        BuiltinPlan plan = BuiltinPlan.Of(Spec(root) with { Users = Users(hasOwnUsers) });
        string mark = $"MARK={Guid.NewGuid():N}", before = root.Listing();
        int hung = 0;
        Parallel.For(0, Count(plan.Bytes), FourAtOnce, i =>
        {
            if (IsWithoutSignal(plan, i))
                return;
            using Launched launched = new(root, Alter(plan.Bytes, i, Hanging), mark);
            if (!launched.Hangs())
                return;
            Interlocked.Increment(ref hung);
            launched.Process.Kill(Signal.SIGKILL);
            launched.Process.Wait();
            launched.ReadToEnd();
        });
        Assert.True(hung > Count(plan.Bytes) / 2);
        Patience.Until(() => Processes(mark).Length == 0, "the end of all processes");
        Assert.Equal(before, root.Listing());
        Assert.DoesNotContain(Mounts.List(), mount => mount.Point.StartsWith(root.Path, StringComparison.Ordinal));
    }

    // A change of the group takes away the signal at the launcher's death, and two calls later it is asked for again. Neither can wait, and a launcher that
    // dies in between is found out by the control pipe before the command starts.
    private static bool IsWithoutSignal(BuiltinPlan plan, int step) => step >= 2 && plan.Label(step).Call == BecomeRoot.Call && plan.Label(step - 2).Call == BecomeRoot.Call;

    private static string[] Processes(string mark) =>
        Programs.Shell($"grep --files-with-matches --null-data --fixed-strings '{mark}' /proc/[0-9]*/environ 2>/dev/null || true").Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static int Block(byte[] plan) => sizeof(int) * (2 + BinaryPrimitives.ReadInt32LittleEndian(plan.AsSpan(sizeof(int))));

    private static int Number(byte[] plan, int at) => (int)BinaryPrimitives.ReadInt64LittleEndian(plan.AsSpan(Block(plan) + at));

    private static int Count(byte[] plan) => Number(plan, OuterCountAt) + Number(plan, SetupCountAt) + Number(plan, EnterCountAt);

    private static byte[] Alter(byte[] plan, int step, int call)
    {
        byte[] altered = [.. plan];
        int at = Block(plan);
        foreach ((int start, int count) in ((int, int)[])[(OuterAt, OuterCountAt), (SetupAt, SetupCountAt), (EnterAt, EnterCountAt)])
        {
            if (step >= 0 && step < Number(plan, count))
                at += Number(plan, start) + (step * StepSize);
            step -= Number(plan, count);
        }
        BinaryPrimitives.WriteInt32LittleEndian(altered.AsSpan(at), call);
        altered[at + ToleratedAt] = 0;
        return altered;
    }

    /// <summary>A launcher with a plan, as an engine starts it.</summary>
    private sealed class Launched : IDisposable
    {
        private readonly SafeFileHandle _reports, _control;

        public Launched(ContainerRoot root, byte[] plan, string mark)
        {
            (_reports, SafeFileHandle reportsEnd) = MessageSockets.Make();
            (SafeFileHandle controlEnd, _control) = Pipes.Make();
            using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
            using (reportsEnd)
            using (controlEnd)
            {
                Process = ChildProcess.Start(new ProgramStart(((BuiltinEngine)root.Engine).Executable!, ContainerEntry.Launcher, ContainerEntry.Version)
                {
                    Environment = [mark],
                    Input = nothing,
                    Output = nothing,
                    Error = nothing,
                    Inherited = [reportsEnd, controlEnd],
                });
            }
            Files.Write(_control, plan, "pipe");
        }

        public ChildProcess Process { get; }

        public List<InitReport> ReadToEnd()
        {
            List<InitReport> reports = [];
            while (Next() is { } report)
                reports.Add(report);
            // Who removes groups waits for the tool to let go.
            _control.Dispose();
            return reports;
        }

        /// <summary>Waits until the step hangs; false when it is none that is made.</summary>
        public bool Hangs()
        {
            while (Next() is { } report)
            {
                if (report.What != InitReport.Kind.Made)
                    continue;
                bool hangs = false;
                Patience.Until(() => (hangs = Waits(report.Value)) || MessageSockets.Wait(_reports, 0) && Next() is not { What: InitReport.Kind.Started }, "the step");
                return hangs;
            }
            return false;
        }

        public void Dispose()
        {
            Process.Kill(Signal.SIGKILL);
            Process.Wait();
            Process.Dispose();
            _reports.Dispose();
            _control.Dispose();
        }

        private InitReport? Next()
        {
            InitReport? report = InitReport.Receive(_reports, out SafeFileHandle? descriptor);
            descriptor?.Dispose();
            return report;
        }

        // It or the command that it starts.
        private static bool Waits(int process) => HostProcess.Children(process).Append(process).Any(id =>
        {
            try
            {
                return System.IO.File.ReadAllText($"/proc/{id}/syscall").StartsWith($"{Hanging} ", StringComparison.Ordinal);
            }
            catch (System.IO.IOException)
            {
                return false;
            }
        });
    }
}
