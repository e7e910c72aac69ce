using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A container of the built-in engine at work.</summary>
internal sealed class BuiltinContainer : PipedContainer
{
    private readonly BuiltinPlan _plan;
    private readonly ContainerTree? _tree;
    private string? _refusal;

    /// <param name="spec">What is to run.</param>
    /// <param name="plan">The calls that do it.</param>
    /// <param name="executable">What clones for us; null: we may do so ourselves, having no other thread.</param>
    public BuiltinContainer(ContainerSpec spec, BuiltinPlan plan, string? executable) : base(spec)
    {
        _plan = plan;
        // What is entered was looked at when it was made.
        _tree = spec.Target is null ? ContainerTree.Open(spec, BuiltinEngine.MountPoints) : null;
        try
        {
            if (executable is null)
                Start((reports, control) => OwnClone.Start(_plan, spec, reports, control));
            else
                Start((reports, control) => Launch(executable, reports, control));
        }
        catch
        {
            _tree?.Dispose();
            throw;
        }
        if (executable is not null)
            Write(_plan.Bytes);
    }

    protected override (string Engine, ulong Capabilities)? Identity => Spec.Target is null ? (BuiltinEngine.Name, ContainerCapabilities.Bits(Spec)) : null;

    protected override bool WasOutOfMemory() => _plan.OutOfMemory?.HasKilled() is true;

    public override void Release()
    {
        if (Spec.IsHeld)
            Write([0]);
    }

    protected override void Clean() => _tree?.Clean();

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _tree?.Dispose();
        _plan.OutOfMemory?.Dispose();
        Spec.Target?.Dispose();
        Spec.Users?.Claim?.Dispose();
    }

    protected override ContainerException Explain(InitReport? report) => report switch
    {
        { What: InitReport.Kind.StepFailed } failed => _plan.Label(failed.Step).Explain(failed.StepErrno),
        { What: InitReport.Kind.CloneFailed } failed => MappedClone.Explain((Errno)failed.Value, Spec),
        { What: InitReport.Kind.Refused } => new(_refusal ?? "the container was refused"),
        { } failed => CannotStart((Errno)failed.Value),
        null => new($"{Spec.Root}: process 1 of the container was killed"),
    };

    protected override void Hear(InitReport report, SafeFileHandle? descriptor)
    {
        if (report.What == InitReport.Kind.Refused && descriptor is not null)
            _refusal = PathText.FromBytes(ReadToEnd(descriptor, int.MaxValue));
        if (report.What == InitReport.Kind.Started && Spec.Boot is not null)
            _plan.OutOfMemory?.Start();
        base.Hear(report, descriptor);
    }

    private ChildProcess Launch(string executable, SafeFileHandle reports, SafeFileHandle control)
    {
        using SafeFileHandle input = Standard(0), output = Standard(1), error = Standard(2);
        string[] arguments = [ContainerEntry.Launcher, ContainerEntry.Version, .. Spec.Target is null ? Array.Empty<string>() : [ContainerLauncher.EnterMark]];
        return ChildProcess.Start(new ProgramStart(executable, arguments)
        {
            Argument0 = "layerbox",
            Environment = [],
            // Keys of the terminal, and whoever signals our process group, mean us: it has to outlive the container.
            OwnSession = true,
            Input = Spec.Input ?? input,
            Output = Spec.Output ?? output,
            Error = Spec.Error ?? error,
            Inherited = [reports, control, .. Spec.ForwardedDescriptors, .. Spec.Target is { } target ? [target.Process] : Array.Empty<SafeFileHandle>()],
        });
    }
}
