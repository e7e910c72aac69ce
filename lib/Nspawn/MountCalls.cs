using System.Runtime.InteropServices;
using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>The calls of mounting by descriptors (fsopen(2), open_tree(2), openat2(2)) as steps.</summary>
internal static class MountCalls
{
    // linux/mount.h
    public const int MOUNT_ATTR_RDONLY = 1, MOUNT_ATTR_NOSUID = 2, MOUNT_ATTR_NODEV = 4, MOUNT_ATTR_NOEXEC = 8, MOUNT_ATTR_IDMAP = 0x100000;
    public const int OPEN_TREE_CLONE = 1, MOVE_MOUNT_F_EMPTY_PATH = 4, AT_RECURSIVE = 0x8000, AT_EMPTY_PATH = 0x1000;
    private const int MOVE_MOUNT_T_EMPTY_PATH = 0x40, FSOPEN_CLOEXEC = 1, FSMOUNT_CLOEXEC = 1;
    private const int FSCONFIG_SET_FLAG = 0, FSCONFIG_SET_STRING = 1, FSCONFIG_CMD_CREATE = 6;

    // linux/openat2.h
    public const int RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16;

    public const int CloseOnExec = (int)OpenFlags.CloseOnExec, PathOnly = (int)(OpenFlags.PathOnly | OpenFlags.CloseOnExec);

    /// <summary>What a filesystem of the kernel's own is mounted with.</summary>
    public const int ApiAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

    // struct open_how { u64 flags, mode, resolve; }
    public const int OpenHowSize = 24;

    public static StepArgument How(this StepList steps, int flags, int resolve) =>
        steps.Plan.Bytes(MemoryMarshal.AsBytes<ulong>([(uint)flags, 0, (uint)resolve]));

    /// <summary>The register may be another's afterwards.</summary>
    public static void Close(this StepList steps, Register fd)
    {
        steps.Do(new StepLabel("close", "descriptor"), close, fd);
        steps.Forget(fd);
        steps.Plan.Free(fd);
    }

    /// <summary>A new filesystem that is not mounted anywhere yet.</summary>
    public static Register NewFilesystem(this StepList steps, string path, string type, int attributes, params ReadOnlySpan<(string Key, string? Value)> options)
    {
        PlanWriter plan = steps.Plan;
        StepLabel label = new($"mount {type}", path);
        Register context = steps.Get(label, fsopen, plan.Text(type), FSOPEN_CLOEXEC);
        foreach ((string key, string? value) in options)
        {
            if (value is null)
                steps.Do(label, fsconfig, context, FSCONFIG_SET_FLAG, plan.Text(key), 0, 0);
            else
                steps.Do(label, fsconfig, context, FSCONFIG_SET_STRING, plan.Text(key), plan.Text(value), 0);
        }
        steps.Do(label, fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
        Register filesystem = steps.Get(label, fsmount, context, FSMOUNT_CLOEXEC, attributes);
        steps.Close(context);
        steps.Know(filesystem, type, null, attributes, options);
        return filesystem;
    }

    /// <summary>The descriptor of the mount goes on to mean that mount; the one of the mount point is closed.</summary>
    public static Register Mount(this StepList steps, string path, Register filesystem, Register target, StepLabel? label = null)
    {
        steps.Move(path, filesystem, target, label);
        steps.Close(target);
        return filesystem;
    }

    /// <summary>Both descriptors stay open.</summary>
    public static void Move(this StepList steps, string path, Register filesystem, Register target, StepLabel? label = null)
    {
        steps.KnowMounted(path, filesystem);
        steps.Do(label ?? new StepLabel("mount", path), move_mount, filesystem, steps.Plan.Text(""), target, steps.Plan.Text(""), MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    }

    /// <summary>An empty filesystem in memory, as somebody asked for; all descriptors of it are closed.</summary>
    public static void MountTmpfs(this StepList steps, Register root, string path)
    {
        StepLabel label = new("mount tmpfs", path) { IsFolder = true };
        Register filesystem = steps.NewFilesystem(path, "tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, ("mode", "755"));
        steps.Close(steps.Mount(path, filesystem, steps.OpenMountPoint(root, path, isFolder: true), label));
    }

    /// <summary>What is bound; likewise.</summary>
    public static void MountBind(this StepList steps, Register root, ContainerBind bind, Register source, bool isFolder)
    {
        StepLabel label = new($"bind {bind.Source}", bind.Destination) { IsFolder = isFolder };
        steps.Close(steps.Mount(bind.Destination, source, steps.OpenMountPoint(root, bind.Destination, isFolder), label));
    }

    /// <summary>A mount point as the container will see it: links lead where they would lead inside. Missing folders are made on the way.</summary>
    public static Register OpenMountPoint(this StepList steps, Register root, string path, bool isFolder)
    {
        const int FolderMode = 0x1ED /* 0755 */, FileMode = 0x1A4 /* 0644 */;
        PlanWriter plan = steps.Plan;
        StepLabel label = new("open mount point", path);
        string[] names = [.. path.Split('/').Where(name => name is not ("" or "."))];
        StepArgument whole = plan.Text(string.Join('/', names)), how = steps.How(PathOnly, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        PlannedStep open = new(label, openat2, [root, whole, how, OpenHowSize]) { Result = plan.NewRegister() };
        PlannedStep first = steps.Add(open with { Tolerated = Errno.ENOENT });
        int before = steps.Steps.Count;
        for (int depth = 0; depth < names.Length; depth++)
        {
            StepArgument folder = plan.Text(depth == 0 ? "." : string.Join('/', names[..depth])), name = plan.Text(names[depth]);
            Register parent = steps.Get(label, openat2, root, folder, steps.How(PathOnly | (int)OpenFlags.Directory, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), OpenHowSize);
            if (isFolder || depth < names.Length - 1)
                steps.Try(label, Errno.EEXIST, mkdirat, parent, name, FolderMode);
            else
                steps.Try(label, Errno.EEXIST, mknodat, parent, name, (int)FileStatus.S_IFREG | FileMode, 0);
            steps.Close(parent);
        }
        steps.Add(open);
        first.SkippedWhenDone = steps.Steps.Count - before;
        return open.Result.Value;
    }

    // struct mount_attr { u64 attr_set, attr_clr, propagation, userns_fd; }
    public static void SetAttributes(this StepList steps, StepLabel label, Register mount, int set, bool recursive)
    {
        steps.KnowAttributes(mount, set);
        steps.ChangeAttributes(label, mount, set, 0, 0, recursive);
    }

    /// <summary>Sets and clears attributes of a mount; a propagation of 0 stays as it is.</summary>
    public static void ChangeAttributes(this StepList steps, StepLabel label, Register mount, int set, int clear, int propagation, bool recursive) =>
        steps.Do(label, mount_setattr, mount, steps.Plan.Text(""), AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), steps.Plan.Bytes(MemoryMarshal.AsBytes<ulong>([(uint)set, (uint)clear, (uint)propagation, 0])), 32);

    /// <summary>Attributes of a mount as mount(8) calls them.</summary>
    public static IEnumerable<string> Names(int attributes)
    {
        yield return (attributes & MOUNT_ATTR_RDONLY) != 0 ? "ro" : "rw";
        if ((attributes & MOUNT_ATTR_NOSUID) != 0)
            yield return "nosuid";
        if ((attributes & MOUNT_ATTR_NODEV) != 0)
            yield return "nodev";
        if ((attributes & MOUNT_ATTR_NOEXEC) != 0)
            yield return "noexec";
        if ((attributes & MOUNT_ATTR_IDMAP) != 0)
            yield return "idmap";
    }
}
