using System.Globalization;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn.Boot;

/// <summary>
/// What a systemd-nspawn that boots a system runs in: process and mount namespaces of its own, with our process 1 in them, so that nothing outlives us
/// and nothing is left below /run; and control groups of its own, because nspawn and the system in it make others below theirs.
/// </summary>
internal sealed class NspawnBootPlan
{
    // linux/sched.h, linux/mount.h
    private const ulong CLONE_CLEAR_SIGHAND = 0x1_0000_0000, CLONE_NEWNS = 0x20000, CLONE_NEWPID = 0x2000_0000;
    private const int MS_NOSUID = 2, MS_NODEV = 4, MS_REC = 0x4000, MS_SLAVE = 1 << 19, FolderMode = 0x1ED /* 0755 */;

    private const string State = "/run/systemd/nspawn", Root = $"{State}/root", NotifySocket = $"{State}/notify";

    private readonly PlanWriter _writer = new();
    private readonly StepList _setup, _enter;
    private readonly NspawnPlan _inner;

    /// <param name="spec">The system.</param>
    /// <param name="nspawn">The program.</param>
    /// <param name="root">The folder of the system, absolute.</param>
    /// <exception cref="PosixException">The source of a bind does not exist.</exception>
    /// <exception cref="ContainerException">It cannot be limited so here.</exception>
    public NspawnBootPlan(ContainerSpec spec, string nspawn, string root)
    {
        (_setup, _enter) = (new StepList(_writer), new StepList(_writer));
        CgroupSteps groups = new(_writer, _setup);
        groups.Add(spec.Limits, isRoot: false);
        OutOfMemory = groups.OutOfMemory;
        // Those are below the others, and go first.
        _writer.CgroupTrees = [.. CgroupTree.Plan(CgroupTree.NewName(), _writer, _setup, isRoot: false, groups.Folders), .. groups.Folders.Values];
        _setup.Do(new StepLabel("make private", "/"), mount, 0, _writer.Text("/"), 0, MS_REC | MS_SLAVE, 0);
        if (spec.Ephemeral)
            _setup.Do(new StepLabel("open", root), chdir, _writer.Text(root));
        MakeState();
        if (spec.Ephemeral)
            AddOverlay(spec, root);
        Show("/proc", _setup.NewFilesystem("/proc", "proc", ApiAttributes));
        BootSteps.AddNotifySocket(_writer, _setup, NotifySocket);
        _enter.Do(new StepLabel("chdir", "/"), chdir, _writer.Text("/"));
        IReadOnlyList<string> environment = [.. NspawnArguments.Environment, $"NOTIFY_SOCKET={NotifySocket}"];
        List<string> arguments = [nspawn, .. NspawnArguments.OfBoot(spec, spec.Ephemeral ? Root : root)];
        // sd_listen_fds(3), by which nspawn hands descriptors to its process 1.
        int count = ContainerDescriptors.Count + spec.Binds.Count;
        environment = [.. environment, string.Create(CultureInfo.InvariantCulture, $"LISTEN_FDS={count}"), PlannedCommand.ListenPid];
        Bytes = _writer.Finish(CLONE_CLEAR_SIGHAND | CLONE_NEWNS | CLONE_NEWPID, _setup, _enter, new PlannedCommand([nspawn], arguments, environment, count));
        _inner = new NspawnPlan(spec, _setup.Steps.Count + _enter.Steps.Count);
    }

    /// <inheritdoc cref="CgroupSteps.OutOfMemory"/>
    public OutOfMemoryWatch OutOfMemory { get; }

    /// <summary>The plan as it goes to the launcher.</summary>
    public byte[] Bytes { get; }

    /// <summary>The plan of the container's own process 1, before it becomes the system's.</summary>
    public byte[] InnerBytes => _inner.Bytes;

    /// <summary>What the step with this number was about.</summary>
    public StepLabel Label(int step) => _setup.Steps.Concat(_enter.Steps).Concat(_inner.Steps).ElementAt(step).Label;

    private void MakeState()
    {
        StepLabel label = new("mount", State);
        foreach (string folder in (string[])["/run/systemd", State])
            _setup.Try(label, Errno.EEXIST, mkdirat, AT_FDCWD, _writer.Text(folder), FolderMode);
        _setup.Do(label, mount, _writer.Text("tmpfs"), _writer.Text(State), _writer.Text("tmpfs"), MS_NOSUID | MS_NODEV, _writer.Text("mode=0755"));
    }

    // The layer is the current folder. It may lie below what was just hidden.
    private void AddOverlay(ContainerSpec spec, string root)
    {
        StepLabel label = new("overlay", root);
        Register overlay = OverlaySteps.New(_setup, root, State, 0);
        _setup.Do(label, mkdirat, AT_FDCWD, _writer.Text(Root), FolderMode);
        Show(Root, overlay);
        // Without usr nspawn takes this for no system at all; and it makes no mount points in a root that is to be read-only. None of these is a link.
        foreach (string name in spec.ReadOnly ? NspawnContainer.RealFolders : [NspawnContainer.Usr])
            _setup.Try(label, Errno.EEXIST, mkdirat, AT_FDCWD, _writer.Text($"{Root}/{name}"), FolderMode);
        if (spec.ReadOnly)
            MakeMountPoints(spec, label);
    }

    // Nobody can later.
    private void MakeMountPoints(ContainerSpec spec, StepLabel label)
    {
        Register merged = _setup.Get(label, openat, AT_FDCWD, _writer.Text(Root), PathOnly | (int)OpenFlags.Directory);
        foreach (string path in spec.Overlays.Concat(spec.Tmpfs))
            _setup.Close(_setup.OpenMountPoint(merged, path, isFolder: true));
        foreach (ContainerBind bind in spec.Binds)
            _setup.Close(_setup.OpenMountPoint(merged, bind.Destination, Files.Status(bind.Source, followLinks: true).IsDirectory));
        _setup.Close(merged);
    }

    private void Show(string path, Register filesystem) =>
        _setup.Close(_setup.Mount(path, filesystem, _setup.Get(new StepLabel("open", path), openat, AT_FDCWD, _writer.Text(path), PathOnly, 0)));
}
