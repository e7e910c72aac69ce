using Layerbox.FileTree;
using Layerbox.Layer.Rpms;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>Asks dnf what it would do, and does nothing.</summary>
public sealed class RpmResolver(RpmSource source)
{
    /// <summary>What is to be installed, by words that dnf knows.</summary>
    public IReadOnlyList<string> Install { get; init; } = [];

    /// <summary>What is to be removed from the parent.</summary>
    public IReadOnlyList<string> Remove { get; init; } = [];

    /// <summary>The layer below; null: nothing is installed yet.</summary>
    public BuiltLayer? Parent { get; init; }

    /// <summary>The layer that has dnf; null: this machine's.</summary>
    public BuiltLayer? Appliance { get; init; }

    public Action<string, long, long?>? Progress { get; init; }

    /// <param name="work">An empty folder for passing things.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="IOException">It cannot be done, and why.</exception>
    public RpmLock Resolve(string work, CancellationToken cancel)
    {
        RpmTransaction transaction = new(source, Appliance)
        {
            Epoch = default,
            Install = [.. Install.Distinct().Order(StringComparer.Ordinal)],
            Remove = [.. Remove.Distinct().Order(StringComparer.Ordinal).Select(name => (name, true))],
            Progress = Progress,
        };
        string image = Parent?.Path ?? Path.Combine(work, "empty");
        if (Parent is null)
            Directories.MakeAll(image);
        TreePath database = source.Database ?? (Parent is null ? null : RpmPhase.DatabaseOf(Parent.Tree, Parent.Packages is { Count: > 0 })) ?? RpmSource.DefaultDatabase;
        DnfOutcome outcome;
        try
        {
            outcome = transaction.Run(image, isReadOnly: Parent is not null, work, null, database, _ => false, cancel);
        }
        catch (ContainerException e)
        {
            throw new LayerException(e.Message);
        }
        return new RpmLock(
            source.Snapshot!.Id,
            [.. outcome.Steps.Where(step => step.Comes).Select(step => new LockedRpm(step.Nevra, transaction.DigestOf(step), step.Size, step.Repo!, step.Location!, step.Reason, step.Action))],
            [.. outcome.Steps.Where(step => step.Action is "remove" or "obsoleted").Select(step => step.Nevra)]);
    }
}
