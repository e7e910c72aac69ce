using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>An ancestor of something wanted: whatever directory is there will do; if nobody makes one it is made, 0755 root:root.</summary>
internal sealed class ImpliedDirectory(string place, TreePath path) : Item(place)
{
    public TreePath Path => path;

    /// <summary>All ancestors of the paths but the root, each once.</summary>
    public static IEnumerable<ImpliedDirectory> AboveAll(string place, IEnumerable<TreePath> paths)
    {
        HashSet<TreePath> seen = [];
        foreach (TreePath path in paths)
            for (TreePath at = path; !at.IsRoot && !at.Parent.IsRoot && seen.Add(at.Parent); at = at.Parent)
                yield return new ImpliedDirectory(place, at.Parent);
    }

    public override string Text => TextOf("implied_dir", ("path", path.ToString()));
    public override string Label => $"ensure_dirs {path} (implied)";
    public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.Directory(path) with { Strength = Strength.Implies }];
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(path.Parent)];

    public override void Apply(LayerDraft draft)
    {
        if (draft.Follow(this, path) is not { } existing)
            draft.Add(this, path, Inodes.Directory(InodeMode.Directory, 0, 0, draft.Epoch));
        else if (!existing.IsDirectory)
            throw Error($"{path} is there, but is no directory");
    }
}
