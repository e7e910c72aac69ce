using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A systemd-nspawn at work: our end of its pipes, and the cleaning up after it.</summary>
internal sealed class NspawnContainer : PipedContainer
{
    // What nspawn has to say when it fails is a line or two.
    private const int ComplaintsMax = 16 * 1024;

    internal const string Usr = "usr";

    // nspawn 252 makes its device nodes and mounts through a link here, wherever on the host that leads.
    internal static readonly string[] RealFolders = ["dev", "etc", "proc", "root", "run", "sys", "tmp", Usr, "var"];

    internal static readonly string[] EmptyFiles = ["etc/machine-id", "etc/os-release", "etc/resolv.conf", "usr/lib/os-release"];

    private readonly NspawnPlan _plan;
    private readonly ContainerTree? _tree;
    private readonly SafeFileHandle _complaints;
    private readonly string _nspawn;
    private readonly Lock _lock = new();
    private NspawnLaunch? _launch;
    private bool _hasStarted;
    private Signal? _endedBefore;

    public NspawnContainer(ContainerSpec spec, string nspawn, string executable) : base(spec)
    {
        string root = RealPath.Of(spec.Root);
        _nspawn = nspawn;
        _plan = new NspawnPlan(spec);
        _tree = ContainerTree.Open(spec, RealFolders, EmptyFiles);
        (_complaints, SafeFileHandle complaintsEnd) = Pipes.Make();
        try
        {
            // Without usr nspawn takes this for no system at all; and it makes no mount points in a root that is to be read-only.
            _tree?.MakeMountPoints([Usr], all: spec.ReadOnly);
            using (complaintsEnd)
                Start((reports, control) => StartGuard(executable, GuardArguments(spec, root, nspawn), complaintsEnd, reports, control));
        }
        catch
        {
            _launch?.Dispose();
            _complaints.Dispose();
            _tree?.Dispose();
            throw;
        }
        Write(_plan.Bytes);
    }

    protected override (string Engine, ulong Capabilities)? Identity => (NspawnEngine.Name, ContainerCapabilities.Bits(Spec));

    protected override Signal? EndedBefore => _endedBefore;

    /// <summary>
    /// Signals are for the command. SIGKILL ends everything, and so does any that asks for the end before there is a command, since nobody would listen where nspawn
    /// hangs. Whoever does not wait yet has not heard that there is one: then what was told and not heard stands for it.
    /// </summary>
    public override void Send(Signal signal)
    {
        lock (_lock)
        {
            if (signal == Signal.SIGKILL || (!_hasStarted && !IsToldMore && signal is Signal.SIGTERM or Signal.SIGINT or Signal.SIGHUP or Signal.SIGQUIT))
            {
                _endedBefore ??= signal;
                _launch!.End();
                return;
            }
        }
        base.Send(signal);
    }

    protected override void Hear(InitReport report, SafeFileHandle? descriptor)
    {
        if (report.What == InitReport.Kind.Started)
        {
            lock (_lock)
                _hasStarted = true;
        }
        base.Hear(report, descriptor);
    }

    protected override bool WasOutOfMemory() => !Spec.Limits.IsNone && _launch!.WasOutOfMemory();

    protected override void Clean() => _tree?.Clean();

    protected override void Dispose(bool disposing)
    {
        // Else a nspawn that hangs would be waited for.
        _launch?.End();
        base.Dispose(disposing);
        _launch?.Dispose();
        _complaints.Dispose();
        _tree?.Dispose();
    }

    protected override ContainerException Explain(InitReport? report)
    {
        switch (report)
        {
            case { What: InitReport.Kind.StepFailed } failed:
                return _plan.Label(failed.Step).Explain(failed.StepErrno);
            case { } failed:
                return CannotStart((Errno)failed.Value);
            default:
                if (_launch!.Outcome() is { What: InitReport.Kind.StepFailed } unlimited)
                    return _launch.Label(unlimited.Step).Explain(unlimited.StepErrno);
                return new ContainerException(NspawnVersion.Complaint(_nspawn) ?? $"{Spec.Root}: systemd-nspawn: {WhyNotMade()}");
        }
    }

    // Its last words, else how it ended.
    private string WhyNotMade()
    {
        InitReport? outcome = _launch!.Outcome();
        return LastLine(ReadToEnd(_complaints, ComplaintsMax)) is { Length: > 0 } complaint ? complaint : outcome switch
        {
            { What: InitReport.Kind.Exited } exited => ProcessExit.Exited(exited.Value).ToString(),
            { What: InitReport.Kind.CloneFailed or InitReport.Kind.CommandFailed or InitReport.Kind.ForkFailed or InitReport.Kind.DescriptorFailed } failed => CannotStart((Errno)failed.Value).Message,
            { What: InitReport.Kind.Killed } killed => ProcessExit.Killed((Signal)killed.Value).ToString(),
            _ => ProcessExit.Killed(Signal.SIGKILL).ToString(),
        };
    }

    private static List<string> GuardArguments(ContainerSpec spec, string root, string nspawn)
    {
        List<string> arguments = [ContainerEntry.Guard, ContainerEntry.Version, Descriptors(spec), spec.Ephemeral ? root : ""];
        if (spec.Ephemeral)
        {
            arguments.Add(ContainerGuard.FolderMark + Usr);
            if (spec.ReadOnly)
            {
                arguments.AddRange(RealFolders.Concat(spec.Overlays).Concat(spec.Tmpfs).Select(path => ContainerGuard.FolderMark + path));
                arguments.AddRange(spec.Binds.Select(bind => (Files.Status(bind.Source, followLinks: true).IsDirectory ? ContainerGuard.FolderMark : ContainerGuard.FileMark) + bind.Destination));
            }
        }
        arguments.AddRange(spec.Binds.Select(bind => (bind.IsRecursive ? ContainerGuard.RecursiveBindMark : ContainerGuard.BindMark) + RealPath.Of(bind.Source)));
        return [.. arguments, ContainerGuard.EndOfMountPoints, nspawn, .. NspawnArguments.Of(spec, spec.Ephemeral ? ContainerGuard.Overlay : root)];
    }

    private static string Descriptors(ContainerSpec spec) => (ContainerDescriptors.Count + spec.ForwardedDescriptors.Count).ToString(CultureInfo.InvariantCulture);

    private ChildProcess StartGuard(string executable, List<string> arguments, SafeFileHandle complaints, SafeFileHandle reports, SafeFileHandle control)
    {
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite), input = Standard(0), output = Standard(1), error = Standard(2);
        // With a terminal of its own the command sees nothing of ours.
        bool isOwn = Spec.Terminal is not null;
        // Nothing keeps the places of the executable and of what is bound, which the guard opens.
        _launch = new NspawnLaunch(executable, arguments, nothing, complaints,
            [Spec.Input ?? (isOwn ? nothing : input), Spec.Output ?? (isOwn ? nothing : output), Spec.Error ?? (isOwn ? nothing : error), reports, control, nothing, .. Spec.ForwardedDescriptors, .. Spec.Binds.Select(_ => nothing)], Spec.Limits);
        return _launch.Process;
    }

    private static string LastLine(byte[] text) =>
        PathText.FromBytes(text).Split('\n').LastOrDefault(line => line.Trim().Length > 0)?.Trim().TrimEnd('.') ?? "";
}
