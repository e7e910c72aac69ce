using Layerbox.FileTree;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer;

/// <summary>
/// Runs a layer's commands in its subvolume. Before, what was removed in memory is removed on disk; after, the disk is walked to learn what
/// the commands did (<see cref="DiskChange"/>).
/// </summary>
internal sealed class RunPhase(string subvolume, CompileOptions options)
{
    /// <summary>Beside the subvolume, while a command runs.</summary>
    private const string InputsName = "inputs";

    /// <returns>The state of the disk, and the state that the layer is to have.</returns>
    public (Tree OnDisk, Tree Wanted) Run(IReadOnlyList<RunItem> runs, LayerDraft draft, Tree onDisk)
    {
        RootfsWriter.Apply(subvolume, onDisk, draft.Tree);
        DiskChange change = new(subvolume, draft);
        string label = runs.Count == 1 ? runs[0].Label : "run";
        foreach (RunItem run in runs)
        {
            options.Cancellation.ThrowIfCancellationRequested();
            options.Progress?.Invoke(run.Label, 0, null);
            Execute(run, draft);
        }
        return change.Settle(runs[^1], _ => new PathOrigin(label));
    }

    private void Execute(RunItem run, LayerDraft draft)
    {
        string inputs = Path.Combine(Path.GetDirectoryName(subvolume)!, InputsName);
        Directories.MakeAll(inputs, InodeMode.Directory);
        try
        {
            run.Guard(() => run.CopyInputs(inputs, draft.Epoch));
            Execute(run, inputs, draft);
        }
        finally
        {
            Directories.RemoveAll(inputs);
        }
    }

    private void Execute(RunItem run, string inputs, LayerDraft draft)
    {
        ContainerResult result;
        try
        {
            using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadOnly);
            // Standard output is for the handle; what commands say is for people.
            result = ContainerEngine.Default.Run(run.Container(subvolume, inputs, draft) with { Input = nothing, Output = FdStream.StandardError.Handle }, options.Cancellation);
        }
        catch (ContainerException e)
        {
            throw run.Error(e.Message);
        }
        if (result.NotStarted is { } reason)
            throw run.Error(reason.Message);
        if (!result.Succeeded)
            throw run.Error($"exit status {result.Status}");
    }
}
