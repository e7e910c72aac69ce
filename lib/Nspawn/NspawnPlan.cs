using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn;

/// <summary>What process 1 does in a container that systemd-nspawn made: what nspawn cannot do, or does otherwise than the built-in engine.</summary>
internal sealed class NspawnPlan
{
    // What nspawn leaves open or puts there and the built-in engine does not: a control group that can be written to, its own folder for what
    // is mounted later, and a part of /proc/sys.
    private static readonly string[] Hidden = [.. BuiltinMounts.Masked, "/sys/fs/cgroup", "/run/host"], ReadOnly = ["/proc/sys/net"];

    private readonly StepList _setup, _enter;

    /// <exception cref="ContainerException">The description cannot be carried out.</exception>
    public NspawnPlan(ContainerSpec spec)
    {
        PlanWriter writer = new();
        (_setup, _enter) = (new StepList(writer), new StepList(writer));
        Register root = Open("/"), dev = Open("/dev");
        CloseDevices(spec, root);
        new MaskSteps(_setup, root, dev).Add(spec with { Masks = [.. Hidden.Union(spec.Masks)], ReadOnlyPaths = [.. ReadOnly.Union(spec.ReadOnlyPaths)] });
        _setup.Close(root);
        _setup.Close(dev);
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

    // nspawn leaves device nodes to the control group of devices, and with --keep-unit that is ours, which allows all.
    private void CloseDevices(ContainerSpec spec, Register root)
    {
        foreach (string path in (string[])["/", "/run", "/tmp", .. spec.Tmpfs, .. spec.Binds.Where(bind => !bind.MayHoldDevices).Select(bind => bind.Destination)])
        {
            StepLabel label = new("mount", path);
            Register mount = _setup.Get(label, openat2, root, _setup.Plan.Text(path), _setup.How(PathOnly, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), OpenHowSize);
            _setup.SetAttributes(label, mount, MOUNT_ATTR_NODEV, recursive: path != "/");
            _setup.Close(mount);
        }
    }

    /// <summary>The plan as it goes to process 1.</summary>
    public byte[] Bytes { get; }

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => _setup.Steps.Concat(_enter.Steps).ElementAt(step).Label;
}
