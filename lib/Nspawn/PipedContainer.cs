using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// A container that a socket and a pipe connect with us, whichever engine made it: on the one its process 1 reports, the other carries
/// signals to it, and when that one ends, because we do, so does everything inside.
/// </summary>
internal abstract class PipedContainer(ContainerSpec spec) : RunningContainer
{
    // Generous: after the command's end nothing is left to do, but the machine may be busy.
    private static readonly TimeSpan EndingTime = TimeSpan.FromSeconds(20);

    private readonly Lock _controlLock = new();
    private readonly long _start = Environment.TickCount64;
    private SafeFileHandle? _control, _reports;
    private ChildProcess? _child;
    private readonly List<InitReport> _told = [];
    private ContainerResult? _result;
    private readonly Lock _announcementLock = new();
    private SafeFileHandle? _announcement;
    private int? _process1;
    private bool _isFinished, _hasStarted;

    protected ContainerSpec Spec => spec;

    /// <summary>Something was told that nobody has listened to yet, or there is nobody left to tell anything.</summary>
    protected bool IsToldMore => MessageSockets.Wait(_reports!, 0);

    /// <summary>What was started, and ends after the container.</summary>
    protected ChildProcess Child => _child!;

    /// <summary>Why process 1 could not start the command, where that is no fault of the command's.</summary>
    protected ContainerException CannotStart(Errno errno)
    {
        string reason = new PosixException("start", errno, Spec.Root).Message;
        return new ContainerException((errno, Spec.Limits.Processes) switch
        {
            (Errno.EAGAIN, { } limit) => $"{reason}: the limit of processes ({limit}) is too small, process 1 of the container is one of them",
            (Errno.EAGAIN, null) => $"{reason}: a limit of processes is reached (that of the user, see ulimit -u, or that of a control group)",
            _ => reason,
        });
    }

    /// <summary>Makes the pipes and starts the child with their other ends, which are closed afterwards.</summary>
    protected void Start(Func<SafeFileHandle, SafeFileHandle, ChildProcess> start)
    {
        (_reports, SafeFileHandle reportsEnd) = MessageSockets.Make();
        (SafeFileHandle controlEnd, _control) = Pipes.Make();
        using (reportsEnd)
        using (controlEnd)
        {
            try
            {
                _child = start(reportsEnd, controlEnd);
            }
            catch
            {
                CloseControl();
                _reports.Dispose();
                throw;
            }
        }
    }

    public override void Send(Signal signal) => Write([(byte)signal]);

    public override ContainerResult Wait()
    {
        if (_result is not null)
            return _result;
        bool timedOut = !HearOut(spec.Timeout is { } timeout ? Left(timeout) : -1);
        if (timedOut)
            End();
        bool outOfMemory = WasOutOfMemory();
        Finish();
        _result = Judge(timedOut, outOfMemory) with { OutOfMemory = outOfMemory };
        return _result;
    }

    protected override void Dispose(bool disposing)
    {
        if (_reports is null || _reports.IsClosed)
            return;
        CloseControl();
        try
        {
            Finish();
        }
        catch (PosixException)
        {
            // Mostly we come here by an exception, which this one must not hide; what is left are empty mount points.
        }
        _child?.Dispose();
        _reports.Dispose();
    }

    /// <summary>Whether the kernel killed something inside for want of memory; asked when all has ended, and before what the launcher made goes.</summary>
    protected virtual bool WasOutOfMemory() => false;

    /// <summary>The signal because of which everything was ended before there was a command; null: none.</summary>
    protected virtual Signal? EndedBefore => null;

    /// <summary>Everything inside has ended: called once, to clean up.</summary>
    protected abstract void Clean();

    /// <summary>What a report of a failure means, or what it means that there is none.</summary>
    /// <param name="report">Null: process 1 ended without a word.</param>
    protected abstract ContainerException Explain(InitReport? report);

    protected void Write(byte[] bytes)
    {
        lock (_controlLock)
        {
            if (_control is null)
                return;
            try
            {
                Files.Write(_control, bytes, "control pipe");
            }
            catch (PosixException e) when (e.Errno == Errno.EPIPE)
            {
                // Whoever read there is gone, and why is what Wait finds out.
            }
        }
    }

    protected static SafeFileHandle Standard(int number) => new(number, ownsHandle: false);

    protected static byte[] ReadToEnd(SafeFileHandle pipe, int keep)
    {
        using MemoryStream bytes = new();
        byte[] buffer = new byte[4096];
        while (Files.Read(pipe, buffer) is var length and > 0)
        {
            if (bytes.Length < keep)
                bytes.Write(buffer, 0, length);
        }
        return bytes.ToArray();
    }

    /// <summary>Process 1 or the launcher told something that is of use while the container runs.</summary>
    /// <param name="report">What.</param>
    /// <param name="descriptor">What came with it, ours from now on.</param>
    protected virtual void Hear(InitReport report, SafeFileHandle? descriptor)
    {
        if (report.What == InitReport.Kind.Terminal && descriptor is not null && spec.Terminal is { } terminal)
        {
            terminal.Opened(descriptor);
            return;
        }
        using (descriptor)
        {
            if (report.What == InitReport.Kind.Made && Made is { } made && NumberOf(report, descriptor) is > 0 and var id)
                made(id);
        }
    }

    private static int NumberOf(InitReport made, SafeFileHandle? process) => process is null ? made.Value : ProcessOf(process);

    // Inside it has another number: only the kernel knows ours (proc(5), fdinfo of a pidfd). -1: it has ended.
    private static int ProcessOf(SafeFileHandle process)
    {
        const string Field = "Pid:";
        string text = PathText.FromBytes(WholeFile.Read(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{process.DangerousGetHandle()}")));
        return text.Split('\n').FirstOrDefault(line => line.StartsWith(Field, StringComparison.Ordinal)) is { } line
            && int.TryParse(line.AsSpan(Field.Length).Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int id) ? id : -1;
    }

    /// <summary>What others are told of the engine that made this, and of what root inside may do; null: nothing is told.</summary>
    protected abstract (string Engine, ulong Capabilities)? Identity { get; }

    /// <summary>The number of process 1 outside, where nobody tells it.</summary>
    protected virtual int? FindProcess1() => null;

    /// <summary>Whoever is reported as made is process 1 of the container, and not only on the way to it.</summary>
    protected virtual bool MadeIsProcess1 => true;

    /// <summary>Tells others of the container, once there is one: one that is still being made cannot be entered. Later calls do nothing.</summary>
    protected void Announce()
    {
        lock (_announcementLock)
            AnnounceOnce();
    }

    private void AnnounceOnce()
    {
        if (!_hasStarted || _isFinished || _announcement is not null || Identity is not { } identity || (_process1 ??= FindProcess1()) is not { } process1)
            return;
        if (HostProcess.StartTime(process1) is not { } startTime)
            return;
        string id = Guid.NewGuid().ToString("N")[..8];
        // Of a system that boots, what commands that are entered are given.
        ContainerSpec commands = spec.Boot?.Commands ?? spec;
        ContainerDescription description = new(id, spec.Name ?? id, identity.Engine, spec.Boot is not null, RealPath.Of(spec.Root), process1, startTime, identity.Capabilities)
        {
            Command = spec.Command,
            Environment = commands.Environment ?? ContainerSpec.DefaultEnvironment(commands.User),
            User = commands.User,
            AmbientCapabilities = ContainerCapabilities.AmbientBits(commands, identity.Capabilities),
            WorkingDirectory = commands.WorkingDirectory,
            NoNewPrivileges = spec.NoNewPrivileges,
            SystemCallFilter = spec.SystemCallFilter,
            SuppressSync = spec.SuppressSync,
        };
        _announcement = ContainerRegistry.Announce(description);
        if (spec.Boot?.Listener is { } listener)
            listener.Description = description;
    }

    // The reports end when process 1 has ended, and everything else inside with it, even where the child died first.
    private void Finish()
    {
        if (_isFinished)
            return;
        _isFinished = true;
        lock (_announcementLock)
            _announcement?.Dispose();
        CloseControl();
        if (_child is { } child)
        {
            if (!HearOut((int)EndingTime.TotalMilliseconds))
                child.Kill(Signal.SIGKILL);
            HearOut(-1);
            if (child.Wait(EndingTime) is null)
                child.Kill(Signal.SIGKILL);
            child.Wait();
        }
        Clean();
    }

    // Listens until the container has ended; false when that takes longer than so many milliseconds (-1: for ever).
    private bool HearOut(int milliseconds)
    {
        const uint First = 1, Second = 2;
        long end = Environment.TickCount64 + milliseconds;
        while (true)
        {
            int left = milliseconds < 0 ? Descriptors.Forever : (int)Math.Max(end - Environment.TickCount64, 0);
            uint ready = PassedOn is { } passedOn ? Descriptors.WaitReadable(left, _reports!, passedOn.Handle) : Descriptors.WaitReadable(left, _reports!);
            if (ready == 0)
                return false;
            while ((ready & Second) != 0 && PassedOn!.TryRead() is { } signal)
                Send(signal);
            if ((ready & First) == 0)
                continue;

            if (InitReport.Receive(_reports!, out SafeFileHandle? descriptor) is not { } report)
                return true;
            _told.Add(report);
            _hasStarted |= report.What == InitReport.Kind.Started;
            if (report.What == InitReport.Kind.Made && MadeIsProcess1)
                _process1 = NumberOf(report, descriptor);
            Announce();
            if (spec.Boot?.Listener?.Take(report, descriptor) is not true)
                Hear(report, descriptor);
        }
    }

    private int Left(TimeSpan timeout) =>
        (int)Math.Clamp(timeout.TotalMilliseconds - (Environment.TickCount64 - _start), 0, int.MaxValue);

    // Its time is up.
    private void End()
    {
        if (spec.KillGrace > TimeSpan.Zero)
        {
            Send(Signal.SIGTERM);
            if (HearOut((int)Math.Min(spec.KillGrace.TotalMilliseconds, int.MaxValue)))
                return;
        }
        Send(Signal.SIGKILL);
        HearOut((int)EndingTime.TotalMilliseconds);
    }

    private void CloseControl()
    {
        lock (_controlLock)
        {
            _control?.Dispose();
            _control = null;
        }
    }

    private ContainerResult Judge(bool timedOut, bool outOfMemory)
    {
        foreach (InitReport report in _told)
        {
            switch (report.What)
            {
                case InitReport.Kind.Exited:
                    return new ContainerResult(ProcessExit.Exited(report.Value), timedOut);
                case InitReport.Kind.Killed:
                    return new ContainerResult(ProcessExit.Killed((Signal)report.Value), timedOut);
                case InitReport.Kind.CommandFailed:
                    return ContainerResult.CannotExecute(new PosixException("run", (Errno)report.Value, spec.Command[0]));
                case InitReport.Kind.Started or InitReport.Kind.Made or InitReport.Kind.Terminal or InitReport.Kind.Console or InitReport.Kind.Notify:
                    break;
                default:
                    throw Explain(report);
            }
        }
        // Process 1 itself was killed.
        if (timedOut || outOfMemory)
            return new ContainerResult(ProcessExit.Killed(Signal.SIGKILL), timedOut);
        if (EndedBefore is { } signal)
            return new ContainerResult(ProcessExit.Killed(signal));
        throw Explain(null);
    }
}
