using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>Applies items to a draft, in memory: the pure part of the compiler, without volume, container or root.</summary>
public static class FeaturePhase
{
    /// <summary>Takes away what is to be removed, deepest first.</summary>
    public static void Remove(LayerDraft draft, IEnumerable<Item> items)
    {
        foreach (Item item in Removals(items))
            item.Apply(draft);
    }

    /// <summary>Removals in their order. Not made distinct: the second of two that insist finds nothing, and must say so.</summary>
    internal static IReadOnlyList<Item> Removals(IEnumerable<Item> items)
    {
        List<RemoveItem> removals = [.. items.OfType<RemoveItem>()];
        removals.Sort(RemoveItem.Order);
        return removals;
    }

    /// <summary>What concerns packages, in an order that does not depend on that of the specification; what is said twice is said once.</summary>
    internal static IReadOnlyList<RpmItem> Rpms(IEnumerable<Item> items) => [.. items.OfType<RpmItem>().DistinctBy(item => item.Text).OrderBy(item => item.Text, StringComparer.Ordinal)];

    /// <summary>Commands in the order of the specification; the same command twice is run once.</summary>
    internal static IReadOnlyList<RunItem> Runs(IEnumerable<Item> items) => [.. items.OfType<RunItem>().DistinctBy(item => item.Text)];

    /// <summary>The items of the last phase: prepared, sorted, applied, and what they asked for at the end checked. The result is their order.</summary>
    public static IReadOnlyList<Item> Apply(LayerDraft draft, IEnumerable<Item> items)
    {
        List<Item> features = [.. items.Where(item => item.Phase == Phase.Features).DistinctBy(item => item.Guard(() => item.Text))];
        foreach (Item item in features)
            item.Guard(() => item.Prepare(draft));
        SortedItems sorted = ItemGraph.Sort(draft, features.SelectMany(item => item.Expand()));
        foreach (Item item in sorted.Items)
            item.Apply(draft);
        draft.Metadata.Write(draft.Tree, draft.Epoch);
        foreach ((Item item, Requirement requirement) in sorted.AtTheEnd)
            Check(draft, item, requirement);
        return sorted.Items;
    }

    private static void Check(LayerDraft draft, Item item, Requirement requirement)
    {
        if (requirement.Key.Kind != KeyKind.Path)
        {
            if (!draft.Has(requirement.Key))
                throw new MissingItemException($"{item.Place}: {item.Label}: {requirement.Key} is required, but the finished layer has none");
            return;
        }
        string wanted = ItemGraph.Wanted(requirement);
        TreePath path = draft.Resolve(item, requirement.Key.Path);
        if (draft.Tree.Find(path) is not { } inode)
        {
            if (requirement.Need == Need.LinkTarget && SymlinkItem.MayDangle(path))
                return;
            throw new MissingItemException($"{item.Place}: {item.Label}: {wanted} is required, but the finished layer does not have it{(requirement.Need == Need.LinkTarget ? $" ({path})" : "")}");
        }
        bool good = requirement.Need switch
        {
            Need.Directory => inode.IsDirectory,
            Need.File => !inode.IsDirectory,
            Need.Executable => inode.Kind == FileKind.File && (inode.Mode & 0x49) != 0,
            _ => true,
        };
        if (!good)
            throw new UnsatisfiedException($"{item.Place}: {item.Label}: {wanted} is required, but in the finished layer it is a {InstallItem.Kind(inode)} with mode {InodeMode.Text(inode.Mode)}");
    }
}
