using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A systemd-nspawn at work: our end of its pipes, and the cleaning up after it.</summary>
internal sealed class NspawnContainer : RunningContainer
{
    // Generous: after the command's end nspawn has nothing left to do, but the machine may be busy.
    private static readonly TimeSpan EndingTime = TimeSpan.FromSeconds(20);

    // What nspawn has to say when it fails is a line or two.
    private const int ComplaintsMax = 16 * 1024;

    private readonly ContainerSpec _spec;
    private readonly NspawnTree _tree;
    private readonly ChildProcess _nspawn;
    private readonly SafeFileHandle _reports, _complaints;
    private readonly Lock _controlLock = new();
    private readonly long _start = Environment.TickCount64;
    private SafeFileHandle? _control;
    private ContainerResult? _result;
    private bool _isClean;

    public NspawnContainer(ContainerSpec spec, string nspawn, string executable)
    {
        string root = RealPath.Of(spec.Root);
        _spec = spec;
        _tree = new NspawnTree(spec, root);
        try
        {
            using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
            (_reports, SafeFileHandle reportsEnd) = Pipes.Make();
            (_complaints, SafeFileHandle complaintsEnd) = Pipes.Make();
            (SafeFileHandle controlEnd, _control) = Pipes.Make();
            using (reportsEnd)
            using (complaintsEnd)
            using (controlEnd)
            using (SafeFileHandle input = Standard(0), output = Standard(1), error = Standard(2))
            {
                _nspawn = ChildProcess.Start(new ProgramStart(executable, [ContainerEntry.Guard, ContainerEntry.Version, nspawn, .. NspawnArguments.Of(spec, root)])
                {
                    Argument0 = "layerbox",
                    Environment = NspawnArguments.Environment,
                    Input = nothing,
                    Output = nothing,
                    Error = complaintsEnd,
                    // The last one keeps the place of the executable, which the guard opens.
                    Inherited = [spec.Input ?? input, spec.Output ?? output, spec.Error ?? error, reportsEnd, controlEnd, nothing],
                });
            }
        }
        catch
        {
            _reports?.Dispose();
            _complaints?.Dispose();
            _control?.Dispose();
            _tree.Dispose();
            throw;
        }
        SendPlan();
    }

    public override void Send(Signal signal)
    {
        lock (_controlLock)
        {
            if (_control is not null)
                WriteControl([(byte)signal]);
        }
    }

    public override ContainerResult Wait()
    {
        if (_result is not null)
            return _result;
        bool timedOut = !WaitForEnd();
        byte[] records = Finish();
        string complaint = LastLine(ReadToEnd(_complaints, ComplaintsMax));
        _result = Judge(InitReport.ReadAll(records), timedOut, complaint);
        return _result;
    }

    protected override void Dispose(bool disposing)
    {
        if (_reports.IsClosed)
            return;
        CloseControl();
        if (_nspawn.Wait(EndingTime) is null)
        {
            _nspawn.Kill(Signal.SIGKILL);
            _nspawn.Wait();
        }
        try
        {
            Finish();
        }
        catch (PosixException)
        {
            // Mostly we come here by an exception, which this one must not hide; what is left are empty mount points.
        }
        _nspawn.Dispose();
        _reports.Dispose();
        _complaints.Dispose();
        _tree.Dispose();
    }

    // The reports end when process 1 has ended, and everything else inside with it, even where nspawn died first.
    private byte[] Finish()
    {
        CloseControl();
        byte[] records = ReadToEnd(_reports, int.MaxValue);
        if (!_isClean)
            _tree.Clean();
        _isClean = true;
        return records;
    }

    private void SendPlan()
    {
        InitPlan plan = new(_spec.Command, _spec.Environment ?? ContainerSpec.DefaultEnvironment(_spec.User), _spec.WorkingDirectory,
            _spec.User.Uid, _spec.User.Gid, _spec.User.Groups);
        lock (_controlLock)
            WriteControl(plan.ToBytes());
    }

    private void WriteControl(byte[] bytes)
    {
        try
        {
            Files.Write(_control!, bytes, "control pipe");
        }
        catch (PosixException e) when (e.Errno == Errno.EPIPE)
        {
            // Whoever read there is gone, and why is what Wait finds out.
        }
    }

    private void CloseControl()
    {
        lock (_controlLock)
        {
            _control?.Dispose();
            _control = null;
        }
    }

    // True when the command ended before its time was up.
    private bool WaitForEnd()
    {
        if (_spec.Timeout is not { } timeout)
        {
            _nspawn.Wait();
            return true;
        }
        TimeSpan spent = TimeSpan.FromMilliseconds(Environment.TickCount64 - _start);
        if (_nspawn.Wait(timeout > spent ? timeout - spent : TimeSpan.Zero) is not null)
            return true;
        Send(Signal.SIGKILL);
        if (_nspawn.Wait(EndingTime) is null)
        {
            CloseControl();
            _nspawn.Kill(Signal.SIGKILL);
            _nspawn.Wait();
        }
        return false;
    }

    private ContainerResult Judge(IEnumerable<InitReport> reports, bool timedOut, string complaint)
    {
        foreach (InitReport report in reports)
        {
            switch (report.What)
            {
                case InitReport.Kind.Exited:
                    return new ContainerResult(ProcessExit.Exited(report.Value), timedOut);
                case InitReport.Kind.Killed:
                    return new ContainerResult(ProcessExit.Killed((Signal)report.Value), timedOut);
                case InitReport.Kind.CommandFailed:
                    return ContainerResult.CannotExecute(new PosixException("run", (Errno)report.Value, _spec.Command[0]));
                case InitReport.Kind.DirectoryFailed:
                    throw new ContainerException(new PosixException("chdir", (Errno)report.Value, _spec.WorkingDirectory).Message);
                case InitReport.Kind.UserFailed:
                    throw new ContainerException(new PosixException("become user", (Errno)report.Value, $"uid {_spec.User.Uid}").Message);
            }
        }
        if (timedOut)
            return new ContainerResult(ProcessExit.Killed(Signal.SIGKILL), TimedOut: true);
        throw new ContainerException($"{_spec.Root}: systemd-nspawn: {(complaint.Length > 0 ? complaint : _nspawn.Wait().ToString())}");
    }

    private static SafeFileHandle Standard(int number) => new(number, ownsHandle: false);

    private static byte[] ReadToEnd(SafeFileHandle pipe, int keep)
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

    private static string LastLine(byte[] text) =>
        PathText.FromBytes(text).Split('\n').LastOrDefault(line => line.Trim().Length > 0)?.Trim().TrimEnd('.') ?? "";
}
