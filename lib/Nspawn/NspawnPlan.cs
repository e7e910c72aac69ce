using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn;

/// <summary>What process 1 does in a container that systemd-nspawn made: what nspawn cannot do, or does otherwise than the built-in engine.</summary>
internal sealed class NspawnPlan
{
    // What nspawn leaves open or puts there and the built-in engine does not: a control group that can be written to, its own folder for what
    // is mounted later, and a part of /proc/sys.
    private static readonly string[] Hidden = [.. BuiltinMounts.Masked, "/sys/fs/cgroup", "/run/host"], ReadOnly = ["/proc/sys/net"];

    private const int MS_PRIVATE = 1 << 18;

    private readonly StepList _setup, _enter;

    /// <param name="spec">The command, or the init of a system that boots.</param>
    /// <param name="firstStep">How many steps others make before.</param>
    /// <exception cref="ContainerException">The description cannot be carried out.</exception>
    public NspawnPlan(ContainerSpec spec, int firstStep = 0)
    {
        PlanWriter writer = new() { IsInit = spec.Boot is not null, FirstStep = firstStep };
        (_setup, _enter) = (new StepList(writer), new StepList(writer));
        Register root = Open("/"), dev = Open("/dev");
        Register? terminal = null;
        if (spec.Terminal is not null)
        {
            Register pts = Open("/dev/pts");
            terminal = TerminalSteps.Open(spec, writer, _setup, pts);
            _setup.Close(pts);
            TerminalSteps.ShowAsConsole(_setup, dev, terminal.Value);
        }
        CloseDevices(root);
        if (spec.Overlays.Count > 0)
            AddOverlays(spec, root);
        AddMounts(spec, root);
        new MaskSteps(_setup, root, dev).Add(spec with { Masks = [.. (spec.Boot is null ? Hidden : BuiltinMounts.Masked).Union(spec.Masks)], ReadOnlyPaths = [.. ReadOnly.Union(spec.ReadOnlyPaths)] });
        _setup.Close(root);
        _setup.Close(dev);
        new EnterSteps(spec, writer, _enter).Add(terminal);
        Bytes = writer.Finish(0, _setup, _enter, PlannedCommand.Of(spec));
    }

    private Register Open(string path) => _setup.Get(new StepLabel("open", path), openat, AT_FDCWD, _setup.Plan.Text(path), PathOnly | (int)OpenFlags.Directory);

    // nspawn leaves device nodes to the control group of devices, and with --keep-unit that is ours, which allows all.
    private void CloseDevices(Register root)
    {
        foreach (string path in (string[])["/", "/run", "/tmp"])
        {
            StepLabel label = new("mount", path);
            Register mount = _setup.Get(label, openat2, root, _setup.Plan.Text(path), _setup.How(PathOnly, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), OpenHowSize);
            _setup.SetAttributes(label, mount, MOUNT_ATTR_NODEV, recursive: path != "/");
            _setup.Close(mount);
        }
    }

    // In memory that is mounted over a folder of nspawn's own for the time of it.
    private void AddOverlays(ContainerSpec spec, Register root)
    {
        const string Memory = "/tmp";
        const int MS_NOSUID = 2, MS_NODEV = 4, MNT_DETACH = 2;
        PlanWriter plan = _setup.Plan;
        StepLabel label = new("overlay", spec.Root);
        _setup.Do(label, mount, plan.Text("tmpfs"), plan.Text(Memory), plan.Text("tmpfs"), MS_NOSUID | MS_NODEV, plan.Text("mode=0700"));
        Register memory = Open(Memory);
        _setup.Do(label, fchdir, root);
        Register overlay = spec.Ephemeral ? OverlaySteps.Alone(_setup, root, spec.Root) : OverlaySteps.New(_setup, spec.Root, Memory, MOUNT_ATTR_NODEV);
        IReadOnlyList<(string, Register)> parts = OverlaySteps.Parts(_setup, overlay, memory, spec.Overlays);
        _setup.Close(memory);
        // Before anything is mounted over it.
        _setup.Do(label, umount2, plan.Text(Memory), MNT_DETACH);
        OverlaySteps.Show(_setup, parts, root);
    }

    // From in here, where no link and no exchange of folders leads out. The guard has opened what is bound: see ContainerGuard.
    private void AddMounts(ContainerSpec spec, Register root)
    {
        const int F_DUPFD_CLOEXEC = 1030;
        foreach (string path in spec.Tmpfs)
            _setup.MountTmpfs(root, path);
        for (int i = 0; i < spec.Binds.Count; i++)
        {
            ContainerBind bind = spec.Binds[i];
            using SafeFileHandle original = Files.Open(bind.Source, OpenFlags.PathOnly);
            bool isFolder = Files.Status(original).IsDirectory;
            StepLabel label = new("bind", bind.Destination);
            int number = ContainerDescriptors.FirstForwarded + spec.ForwardedDescriptors.Count + i;
            Register source = _setup.Get(label, fcntl, number, F_DUPFD_CLOEXEC, 0);
            _setup.Do(label, close, number);
            int attributes = (bind.ReadOnly ? MOUNT_ATTR_RDONLY : 0) | (bind.MayHoldDevices ? 0 : MOUNT_ATTR_NODEV);
            // Nothing that is mounted there later on the host comes in.
            _setup.ChangeAttributes(label, source, attributes, 0, MS_PRIVATE, recursive: true);
            _setup.MountBind(root, bind, source, isFolder);
        }
    }

    /// <summary>The plan as it goes to process 1.</summary>
    public byte[] Bytes { get; }

    /// <summary>All steps, in the order of their numbers.</summary>
    public IEnumerable<PlannedStep> Steps => _setup.Steps.Concat(_enter.Steps);

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => Steps.ElementAt(step).Label;
}
