using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;
using static Layerbox.Nspawn.MountCalls;

namespace Layerbox.Nspawn;

/// <summary>
/// Hides paths of a container, or makes them read-only, when all its mounts are made. Paths are resolved as the container sees them; what they
/// lead to is only known when the plan runs.
/// </summary>
/// <param name="steps">Where the steps go.</param>
/// <param name="root">The container's root.</param>
/// <param name="dev">A /dev that an engine made, never the image's: what is called null there is null (CVE-2025-31133).</param>
internal sealed class MaskSteps(StepList steps, Register root, Register dev)
{
    public void Add(ContainerSpec spec)
    {
        foreach (string path in spec.ReadOnlyPaths)
            MakeReadOnly(path);
        foreach (string path in spec.Masks)
            Mask(path);
    }

    private void MakeReadOnly(string path)
    {
        StepLabel label = new("make read-only", path);
        (Register target, PlannedStep open) = Open(label, path);
        int before = steps.Steps.Count;
        Register copy = steps.Get(label, open_tree, target, steps.Plan.Text(""), OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH | CloseOnExec);
        steps.Know(copy, "bind", path, 0);
        steps.SetAttributes(label, copy, MOUNT_ATTR_RDONLY, recursive: true);
        steps.Close(steps.Mount(path, copy, target));
        open.SkippedWhenTolerated = steps.Steps.Count - before;
    }

    private void Mask(string path)
    {
        StepLabel label = new("mask", path);
        (Register target, PlannedStep open) = Open(label, path);
        int before = steps.Steps.Count;
        Register folder = steps.Plan.NewRegister();
        PlannedStep ask = steps.Add(new PlannedStep(label, openat, [target, steps.Plan.Text("."), PathOnly | (int)OpenFlags.Directory])
        {
            Result = folder,
            Tolerated = Errno.ENOTDIR,
        });
        int beforeFolder = steps.Steps.Count;
        Register empty = steps.NewFilesystem(path, "tmpfs", ApiAttributes | MOUNT_ATTR_RDONLY, ("mode", "555"), ("size", "4k"));
        steps.Know(empty, "mask", null, MOUNT_ATTR_RDONLY);
        steps.Move(path, empty, target);
        steps.Close(empty);
        // Not given up before both ways are planned: whichever is taken, the mount point is still open.
        PlannedStep last = steps.Do(label, close, folder);
        ask.SkippedWhenTolerated = steps.Steps.Count - beforeFolder;
        int beforeFile = steps.Steps.Count;
        Register nothing = steps.Get(label, open_tree, dev, steps.Plan.Text("null"), OPEN_TREE_CLONE | CloseOnExec);
        steps.SetAttributes(label, nothing, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, recursive: false);
        steps.Move(path, nothing, target);
        steps.Close(nothing);
        last.SkippedWhenDone = steps.Steps.Count - beforeFile;
        steps.Plan.Free(folder);
        steps.Close(target);
        open.SkippedWhenTolerated = steps.Steps.Count - before;
    }

    // What is not there needs nothing.
    private (Register Target, PlannedStep Open) Open(StepLabel label, string path)
    {
        Register target = steps.Plan.NewRegister();
        PlannedStep open = steps.Add(new PlannedStep(label, openat2, [root, steps.Plan.Text(path), steps.How(PathOnly, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), OpenHowSize])
        {
            Result = target,
            Tolerated = Errno.ENOENT,
        });
        return (target, open);
    }
}
