using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn;

/// <summary>Overlays as steps: a tree is read and never written, what is changed in it goes to memory and ends with the mounts.</summary>
internal static class OverlaySteps
{
    private const int FolderMode = 0x1ED /* 0755 */, MS_PRIVATE = 1 << 18;

    /// <summary>
    /// An overlay of the current folder, mounted nowhere yet. It is found as the current folder because paths in an overlay's options need escapes, and it may lie
    /// below what the filesystem in memory hides.
    /// </summary>
    /// <param name="steps">What it is added to.</param>
    /// <param name="path">The folder on the host, for messages.</param>
    /// <param name="memory">Where a filesystem in memory is mounted: an absolute path.</param>
    /// <param name="attributes">MOUNT_ATTR_… of the mount.</param>
    /// <param name="users">Those of the container; null: the host's.</param>
    /// <exception cref="PosixException">There is no such folder.</exception>
    public static Register New(StepList steps, string path, string memory, int attributes, UserNamespace? users = null)
    {
        PlanWriter plan = steps.Plan;
        StepLabel label = new("overlay", path);
        string upper = $"{memory}/upper", work = $"{memory}/scratch";
        FileStatus folder = Files.Status(path, followLinks: true);
        // The folder inside has the attributes of the upper one.
        steps.Do(label, mkdirat, AT_FDCWD, plan.Text(upper), folder.Mode);
        (uint? uid, uint? gid) = users switch
        {
            null => (folder.Uid, folder.Gid),
            { KeepsOwners: true } own => (UserNamespace.Has(own.Users, folder.Uid) ? folder.Uid : null, UserNamespace.Has(own.Groups, folder.Gid) ? folder.Gid : null),
            _ => (UserNamespace.Inside(users.Users, folder.Uid), UserNamespace.Inside(users.Groups, folder.Gid)),
        };
        if ((uid ?? 0, gid ?? 0) != (0, 0))
            steps.Do(label, fchownat, AT_FDCWD, plan.Text(upper), uid ?? 0, gid ?? 0, 0);
        steps.Do(label, mkdirat, AT_FDCWD, plan.Text(work), FolderMode);
        // Renaming a folder of the layer would fail with EXDEV otherwise, and every program would have to know how to go on. The kernel trusts the
        // xattrs that this takes only where no user can write them.
        (string, string?) kind = users is null ? ("redirect_dir", "on") : ("userxattr", null);
        return steps.NewFilesystem(path, "overlay", attributes, ("lowerdir", "."), ("upperdir", upper), ("workdir", work), kind);
    }

    /// <summary>A root that is an overlay already, without what is mounted in it.</summary>
    public static Register Alone(StepList steps, Register root, string path) =>
        steps.Get(new StepLabel("overlay", path), open_tree, root, steps.Plan.Text(""), OPEN_TREE_CLONE | AT_EMPTY_PATH | CloseOnExec);

    /// <summary>Parts of an overlay, mounted nowhere yet; the overlay is closed.</summary>
    /// <param name="steps">What it is added to.</param>
    /// <param name="overlay">An overlay of the root, with nothing mounted in it, and mounted nowhere.</param>
    /// <param name="memory">A folder of the filesystem in memory, which may be unmounted afterwards.</param>
    /// <param name="paths">Absolute paths inside; made when they do not exist.</param>
    public static IReadOnlyList<(string Path, Register Part)> Parts(StepList steps, Register overlay, Register memory, IReadOnlyList<string> paths)
    {
        const string Changes = "changes";
        List<(string, Register)> parts = [];
        // The kernel copies no part of what is mounted nowhere.
        StepLabel attach = new("overlay", paths[0]);
        steps.Do(attach, mkdirat, memory, steps.Plan.Text(Changes), FolderMode);
        steps.Do(attach, move_mount, overlay, steps.Plan.Text(""), memory, steps.Plan.Text(Changes), MOVE_MOUNT_F_EMPTY_PATH);
        foreach (string path in paths)
        {
            StepLabel label = new("overlay", path);
            Register folder = steps.OpenMountPoint(overlay, path, isFolder: true);
            Register part = steps.Get(label, open_tree, folder, steps.Plan.Text(""), OPEN_TREE_CLONE | AT_EMPTY_PATH | CloseOnExec);
            steps.Close(folder);
            // The root may be read-only.
            steps.ChangeAttributes(label, part, 0, MOUNT_ATTR_RDONLY, MS_PRIVATE, recursive: false);
            steps.Know(part, "overlay", path, 0);
            parts.Add((path, part));
        }
        steps.Close(overlay);
        return parts;
    }

    /// <summary>
    /// Shows them at their places in the root. So what is shown has all the attributes that it has in the root, and a link in the image leads to the same place in both.
    /// </summary>
    public static void Show(StepList steps, IReadOnlyList<(string Path, Register Part)> parts, Register root)
    {
        foreach ((string path, Register part) in parts)
            steps.Close(steps.Mount(path, part, steps.OpenMountPoint(root, path, isFolder: true)));
    }
}
