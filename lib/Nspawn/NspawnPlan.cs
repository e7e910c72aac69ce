using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn;

/// <summary>What process 1 does in a container that systemd-nspawn made: what nspawn cannot do, or does otherwise than the built-in engine.</summary>
internal sealed class NspawnPlan
{
    private readonly StepList _setup, _enter;

    /// <exception cref="ContainerException">The description cannot be carried out.</exception>
    public NspawnPlan(ContainerSpec spec)
    {
        PlanWriter writer = new();
        (_setup, _enter) = (new StepList(writer), new StepList(writer));
        if (spec.Masks.Count + spec.ReadOnlyPaths.Count > 0)
        {
            Register root = Open("/"), dev = Open("/dev");
            new MaskSteps(_setup, root, dev).Add(spec);
            _setup.Close(root);
            _setup.Close(dev);
        }
        Register? terminal = null;
        if (spec.Terminal is not null)
        {
            Register pts = Open("/dev/pts");
            terminal = TerminalSteps.Open(spec, writer, _setup, pts);
            _setup.Close(pts);
        }
        new EnterSteps(spec, writer, _enter).Add(terminal);
        Bytes = writer.Finish(0, _setup, _enter, new StepList(writer), PlannedCommand.Of(spec));

        Register Open(string path) => _setup.Get(new StepLabel("open", path), openat, AT_FDCWD, writer.Text(path), PathOnly | (int)OpenFlags.Directory);
    }

    /// <summary>The plan as it goes to process 1.</summary>
    public byte[] Bytes { get; }

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => _setup.Steps.Concat(_enter.Steps).ElementAt(step).Label;
}
