using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn;

/// <summary>
/// The filesystems of a container as steps. Nothing in the image is ever resolved by a plain path: mount points of our own by openat2
/// without any link, those that were asked for as the container itself would see them, and what is mounted goes to the descriptor that this
/// gave, so no exchange in between leads anywhere else.
/// </summary>
internal sealed class BuiltinMounts(ContainerSpec spec, PlanWriter plan, StepList steps)
{
    // linux/mount.h
    private const int MS_NOSUID = 2, MS_REC = 0x4000, MS_PRIVATE = 1 << 18, MNT_DETACH = 2;
    private const int FolderMode = 0x1ED /* 0755 */, FileMode = 0x1A4 /* 0644 */;

    /// <summary>
    /// Where the overlay is put together. In the mounts of the container alone, so the host's folder of that name is only hidden, and only
    /// after everything that may lie below it was opened.
    /// </summary>
    private const string Scratch = "/dev";

    /// <summary>A folder in it that is shown in place of what is masked.</summary>
    private const string Empty = "empty";

    /// <summary>A folder in it where the root is mounted while an overlay of it is made.</summary>
    private const string Lower = "lower";

    // runtime-spec's defaults and what engines add: what tells of the host's hardware, keys and timers.
    private static readonly string[] MaskedFiles = ["kcore", "keys", "kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "timer_list", "timer_stats", "sched_debug", "interrupts"];
    private static readonly string[] MaskedFolders = ["acpi", "asound", "scsi"];
    private static readonly string[] MaskedInSys = ["firmware", "devices/virtual/powercap"];
    private static readonly string[] ReadOnlyInProc = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

    /// <summary>All that nobody inside is to see, as the container sees it.</summary>
    public static IEnumerable<string> Masked =>
        MaskedFiles.Concat(MaskedFolders).Select(name => $"/proc/{name}").Concat(MaskedInSys.Select(name => $"/sys/{name}"));

    // Documentation/admin-guide/devices.txt
    private static readonly (string Name, int Major, int Minor)[] Devices =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

    private static readonly (string Name, string Target)[] DeviceLinks =
    [
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"), ("ptmx", "pts/ptmx"),
    ];

    private Register _root, _scratch;

    // Of the root, where that is none itself.
    private Register? _overlay;

    /// <summary>The command's end of the container's terminal.</summary>
    public Register? Terminal { get; private set; }

    /// <summary>Everything up to a complete tree, of which we are still outside.</summary>
    public void Add()
    {
        // Nothing that we mount reaches the host, and nothing of the host's comes here any more.
        steps.Do(new StepLabel("make private", "/"), mount, 0, plan.Text("/"), 0, MS_REC | MS_PRIVATE, 0);
        Register?[] sources = [.. spec.Binds.Select(bind => bind.IsInner ? null : (Register?)OpenSource(bind))];
        Register[] nodes = spec.Users is null && ContainerCapabilities.IsHeld(ContainerCapabilities.MakeNodes) ? [] : [.. Devices.Select(OpenNode)];
        Register? image = IsOuter ? plan.OpenOutside(spec.Root, isRecursive: !spec.Ephemeral, keepsOwners: true) : null;
        if (IsOuter)
            BecomeRoot.Add(plan, steps);
        _root = spec.Ephemeral ? Overlay(image) : InPlace(image);
        steps.Know(_root, spec.Ephemeral ? "overlay" : "bind", spec.Root, MOUNT_ATTR_NODEV | (IsOuter ? MOUNT_ATTR_IDMAP : 0));
        steps.KnowMounted("/", _root);
        steps.Do(At("mount", "/"), move_mount, _root, plan.Text(""), AT_FDCWD, plan.Text(Scratch), MOVE_MOUNT_F_EMPTY_PATH);
        steps.Do(At("chdir", "/"), fchdir, _root);
        LinkIntoUsr();
        Register proc = Proc();
        Sys();
        Register dev = Dev(proc, nodes);
        steps.Close(steps.Mount("/run", steps.NewFilesystem("/run", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, ("mode", "755")), OpenOwn("/run")));
        steps.Close(steps.Mount("/tmp", steps.NewFilesystem("/tmp", "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, ("mode", "1777")), OpenOwn("/tmp")));
        if (spec.Overlays.Count > 0)
            OverlaySteps.Show(steps, OverlaySteps.Parts(steps, _overlay ?? OverlaySteps.Alone(steps, _root, spec.Root), _scratch, spec.Overlays), _root);
        steps.Close(_scratch);
        foreach (string path in spec.Tmpfs)
            steps.MountTmpfs(_root, path);
        foreach ((ContainerBind bind, Register? source) in spec.Binds.Zip(sources))
        {
            if (source is { } outer)
                steps.MountBind(_root, bind, outer, IsFolder(bind));
            else
                steps.Close(MountInner(bind));
        }
        new MaskSteps(steps, _root, dev).Add(spec);
        steps.Close(dev);
    }

    /// <summary>Makes that tree ours.</summary>
    public void Enter()
    {
        // pivot_root(2): with the same folder twice the old root lies on top of the new one, and goes.
        steps.Do(At("pivot_root", "/"), pivot_root, plan.Text("."), plan.Text("."));
        steps.Do(At("umount", "/"), umount2, plan.Text("."), MNT_DETACH);
        steps.Do(At("chdir", "/"), chdir, plan.Text("/"));
        if (spec.ReadOnly)
            steps.SetAttributes(At("make read-only", "/"), _root, MOUNT_ATTR_RDONLY, recursive: false);
        steps.Close(_root);
    }

    // Process 1 has no right over the host's files that are not its users', so they are opened for it.
    private bool IsOuter => spec.Users is { KeepsOwners: true };

    private static StepLabel At(string call, string path) => new(call, path);

    private static bool IsFolder(ContainerBind bind) => Files.Status(bind.Source, followLinks: true).IsDirectory;

    private void LinkIntoUsr()
    {
        using SafeFileHandle image = Directories.Open(spec.Root);
        foreach (string name in ContainerTree.LinksIntoUsr)
        {
            string target = $"usr/{name}";
            // An image that has no such folder needs no link to it.
            if (Directories.TryOpenInRoot(image, PathText.ToBytes(target), OpenFlags.PathOnly | OpenFlags.Directory) is not { } folder)
                continue;
            folder.Dispose();
            steps.Try(At("symlink", $"/{name}"), Errno.EEXIST, symlinkat, plan.Text(target), _root, plan.Text(name));
        }
    }

    // A copy of what is mounted there, with all mounts below it.
    private Register OpenSource(ContainerBind bind)
    {
        using (Files.Open(bind.Source, OpenFlags.PathOnly))
        {
            // Its absence is told here, in words and before anything is made.
        }
        StepLabel label = At("open", bind.Source);
        Register source = IsOuter
            ? plan.OpenOutside(bind.Source, bind.IsRecursive, bind.KeepsOwners)
            : steps.Get(label, open_tree, AT_FDCWD, plan.Text(bind.Source), OPEN_TREE_CLONE | (bind.IsRecursive ? AT_RECURSIVE : 0) | CloseOnExec);
        steps.Know(source, "bind", bind.Source, IsOuter && bind.KeepsOwners ? MOUNT_ATTR_IDMAP : 0, (bind.IsRecursive ? "rbind" : "bind", null));
        int attributes = (bind.ReadOnly ? MOUNT_ATTR_RDONLY : 0) | (bind.MayHoldDevices ? 0 : MOUNT_ATTR_NODEV);
        if (attributes != 0)
            steps.SetAttributes(At("mount", bind.Source), source, attributes, recursive: true);
        return source;
    }

    // Both ends as the container will see them.
    private Register MountInner(ContainerBind bind)
    {
        StepLabel label = At("open", bind.Source);
        Register source = Open(label, bind.Source);
        Register copy = steps.Get(label, open_tree, source, plan.Text(""), OPEN_TREE_CLONE | AT_EMPTY_PATH | (bind.IsRecursive ? AT_RECURSIVE : 0) | CloseOnExec);
        steps.Know(copy, "bind", bind.Source, 0, (bind.IsRecursive ? "rbind" : "bind", null));
        steps.Close(source);
        if (bind.ReadOnly)
            steps.SetAttributes(At("mount", bind.Source), copy, MOUNT_ATTR_RDONLY, recursive: true);
        return steps.Mount(bind.Destination, copy, Open(At("open mount point", bind.Destination), bind.Destination));

        Register Open(StepLabel at, string path) =>
            steps.Get(at, openat2, _root, plan.Text(path.Trim('/')), steps.How(PathOnly, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), OpenHowSize);
    }

    private Register InPlace(Register? image)
    {
        Register root = image ?? steps.Get(At("open", spec.Root), open_tree, AT_FDCWD, plan.Text(spec.Root), OPEN_TREE_CLONE | AT_RECURSIVE | CloseOnExec);
        steps.SetAttributes(At("mount", spec.Root), root, MOUNT_ATTR_NODEV, recursive: true);
        MakeScratch();
        if (spec.Overlays.Count > 0)
            OverlayInPlace(root);
        return root;
    }

    // Beside the root, for some paths of it.
    private void OverlayInPlace(Register root)
    {
        StepLabel label = At("overlay", spec.Root);
        steps.Do(label, mkdirat, _scratch, plan.Text(Lower), FolderMode);
        // An overlay takes only what is mounted in these mounts. From here the root moves on.
        steps.Do(label, move_mount, root, plan.Text(""), _scratch, plan.Text(Lower), MOVE_MOUNT_F_EMPTY_PATH);
        steps.Do(label, fchdir, root);
        _overlay = OverlaySteps.New(steps, spec.Root, Scratch, MOUNT_ATTR_NODEV, spec.Users);
    }

    private void MakeScratch()
    {
        StepLabel label = At("mount", Scratch);
        steps.Do(label, mount, plan.Text("tmpfs"), plan.Text(Scratch), plan.Text("tmpfs"), MS_NOSUID, plan.Text("mode=0700"));
        _scratch = steps.Get(label, openat, AT_FDCWD, plan.Text(Scratch), PathOnly);
        steps.Do(label, mkdirat, _scratch, plan.Text(Empty), 0x16D /* 0555 */);
    }

    // The layer is read and never written: changes go to memory that ends with the container's mounts, however it ends.
    private Register Overlay(Register? image)
    {
        StepLabel label = At("overlay", spec.Root);
        if (image is { } lower)
        {
            // An overlay takes only what is mounted in these mounts. It is hidden at once.
            steps.Do(label, move_mount, lower, plan.Text(""), AT_FDCWD, plan.Text(Scratch), MOVE_MOUNT_F_EMPTY_PATH);
            steps.Do(label, fchdir, lower);
            steps.Close(lower);
        }
        else
            steps.Do(At("open", spec.Root), chdir, plan.Text(spec.Root));
        MakeScratch();
        return OverlaySteps.New(steps, spec.Root, Scratch, MOUNT_ATTR_NODEV, spec.Users);
    }

    private Register Proc()
    {
        Register proc = steps.Mount("/proc", steps.NewFilesystem("/proc", "proc", ApiAttributes), OpenOwn("/proc"));
        foreach (string name in ReadOnlyInProc)
            Mask($"/proc/{name}", proc, name, proc, name);
        foreach (string name in MaskedFolders)
            Mask($"/proc/{name}", proc, name, _scratch, Empty);
        return proc;
    }

    private void Sys()
    {
        Register sys = steps.Mount("/sys", spec is { Users: not null, Network: ContainerNetwork.Host } ? SysOfHost() : steps.NewFilesystem("/sys", "sysfs", ApiAttributes | MOUNT_ATTR_RDONLY), OpenOwn("/sys"));
        foreach (string name in MaskedInSys)
            Mask($"/sys/{name}", sys, name, _scratch, Empty);
        steps.Close(sys);
    }

    // Only who owns the network namespace may mount what shows its devices.
    private Register SysOfHost()
    {
        StepLabel label = At("mount", "/sys");
        Register sys = steps.Get(label, open_tree, AT_FDCWD, plan.Text("/sys"), OPEN_TREE_CLONE | AT_RECURSIVE | CloseOnExec);
        steps.SetAttributes(label, sys, ApiAttributes | MOUNT_ATTR_RDONLY, recursive: true);
        Mask("/sys/fs/cgroup", sys, "fs/cgroup", _scratch, Empty);
        return sys;
    }

    // In a user namespace nobody can make device nodes, nor in most containers around us: they are those that are there, if they are what they are called.
    private Register OpenNode((string Name, int Major, int Minor) device)
    {
        string path = $"/dev/{device.Name}";
        FileStatus node = Files.Status(path);
        if (node.Type != FileStatus.S_IFCHR || (node.RdevMajor, node.RdevMinor) != (device.Major, device.Minor))
            throw new ContainerException($"{path}: is not the device of that name, and this process may not make one");
        return steps.Get(At("open", path), open_tree, AT_FDCWD, plan.Text(path), OPEN_TREE_CLONE | CloseOnExec);
    }

    private Register Dev(Register proc, Register[] nodes)
    {
        // Who may make device nodes shall not open them, so the folder is nodev then and each of its own devices a mount.
        bool isClosed = nodes.Length > 0 || ContainerCapabilities.Of(spec).Contains(ContainerCapabilities.MakeNodes);
        int attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | (isClosed ? MOUNT_ATTR_NODEV : 0);
        Register dev = steps.Mount("/dev", steps.NewFilesystem("/dev", "tmpfs", attributes, ("mode", "755"), ("size", "65536k")), OpenOwn("/dev"));
        for (int i = 0; i < Devices.Length; i++)
        {
            (string name, int major, int minor) = Devices[i];
            StepLabel label = At("mknod", $"/dev/{name}");
            if (nodes.Length == 0)
                steps.Do(label, mknodat, isClosed ? _scratch : dev, plan.Text(name), 0x2000 /* S_IFCHR */ | 0x1B6 /* 0666 */, (major << 8) | minor);
            if (!isClosed)
                continue;
            steps.Do(label, mknodat, dev, plan.Text(name), (int)FileStatus.S_IFREG | FileMode, 0);
            Register node = nodes.Length > 0 ? nodes[i] : steps.Get(label, open_tree, _scratch, plan.Text(name), OPEN_TREE_CLONE | CloseOnExec);
            steps.Close(steps.Mount(label.Path, node, OpenExisting(label, dev, name, PathOnly, out _)));
        }
        foreach ((string name, string target) in DeviceLinks)
            steps.Do(At("symlink", $"/dev/{name}"), symlinkat, plan.Text(target), dev, plan.Text(name));
        // Group "tty", where there is one.
        (string, string?)[] options = [("newinstance", null), ("ptmxmode", "0666"), ("mode", "0620"), .. spec.Users is { } users && !UserNamespace.Has(users.Groups, 5) ? [] : new (string, string?)[] { ("gid", "5") }];
        Register pts = Submount("pts", steps.NewFilesystem("/dev/pts", "devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options));
        steps.Close(Submount("shm", steps.NewFilesystem("/dev/shm", "tmpfs", ApiAttributes, ("mode", "1777"), ("size", "65536k"))));
        steps.Close(Submount("mqueue", steps.NewFilesystem("/dev/mqueue", "mqueue", ApiAttributes)));
        if (spec.Terminal is not null)
        {
            Terminal = TerminalSteps.Open(spec, plan, steps, pts);
            TerminalSteps.ShowAsConsole(steps, dev, Terminal.Value);
        }
        steps.Close(pts);
        // This /dev/null, never one of the image's.
        foreach (string name in MaskedFiles)
            Mask($"/proc/{name}", proc, name, dev, "null");
        steps.Close(proc);
        return dev;

        Register Submount(string name, Register filesystem)
        {
            StepLabel label = At("mkdir", $"/dev/{name}");
            steps.Do(label, mkdirat, dev, plan.Text(name), FolderMode);
            return steps.Mount(label.Path, filesystem, OpenExisting(label, dev, name, PathOnly, out _));
        }
    }

    // Shows something else, or the same, read-only.
    private void Mask(string path, Register parent, string name, Register maskParent, string mask)
    {
        StepLabel label = At("mask", path);
        Register target = OpenExisting(label, parent, name, PathOnly, out PlannedStep open);
        int before = steps.Steps.Count;
        Register copy = steps.Get(label, open_tree, maskParent, plan.Text(mask), OPEN_TREE_CLONE | CloseOnExec);
        steps.Know(copy, parent == maskParent ? "bind" : "mask", parent == maskParent ? path : null, 0);
        steps.SetAttributes(label, copy, mask == "null" ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC : ApiAttributes | MOUNT_ATTR_RDONLY, recursive: false);
        steps.Close(steps.Mount(path, copy, target));
        open.SkippedWhenTolerated = steps.Steps.Count - before;
    }

    // In a filesystem of our own making. What this kernel does not have needs no mask.
    private Register OpenExisting(StepLabel label, Register parent, string name, int flags, out PlannedStep open)
    {
        Register fd = plan.NewRegister();
        open = steps.Add(new PlannedStep(label, openat2, [parent, plan.Text(name), steps.How(flags, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH), OpenHowSize])
        {
            Result = fd,
            Tolerated = Errno.ENOENT,
        });
        return fd;
    }

    /// <summary>A mount point of ours directly below the root: a real folder, made where there is none.</summary>
    private Register OpenOwn(string path)
    {
        string name = path[1..];
        steps.Try(At("mkdir", path), Errno.EEXIST, mkdirat, _root, plan.Text(name), FolderMode);
        return steps.Get(At("open mount point", path), openat2, _root, plan.Text(name), steps.How(PathOnly | (int)(OpenFlags.Directory | OpenFlags.NoFollow), RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH), OpenHowSize);
    }
}
