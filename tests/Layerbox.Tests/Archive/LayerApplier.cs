using Layerbox.Archive;
using Layerbox.FileTree;

namespace Layerbox.Tests.Archive;

/// <summary>
/// Applies an archive of changes as the OCI image specification tells it (layer.md, "Applying changesets"), and strictly: what a careful
/// unpacker could stumble over fails. A directory that is changed gets the time of the unpacking, unless the archive has it too.
/// </summary>
internal static class LayerApplier
{
    public static readonly Timestamp Now = new(4_000_000_000);

    public static Tree Apply(Tree lower, byte[] archive)
    {
        Tree tree = lower.Copy();
        HashSet<Inode> made = new(ReferenceEqualityComparer.Instance);
        Dictionary<Inode, Timestamp> times = new(ReferenceEqualityComparer.Instance);
        foreach (TarEntry entry in TarReader.Read(new MemoryStream(archive), new MemoryContentStore()))
            if (entry.Path.IsRoot)
                Become(tree.Root, entry.Inode!, times);
            else
                Put(tree, entry, made, times);
        foreach ((Inode directory, Timestamp time) in times)
            directory.ModificationTime = time;
        return tree;
    }

    private static void Put(Tree tree, TarEntry entry, HashSet<Inode> made, Dictionary<Inode, Timestamp> times)
    {
        Inode parent = tree.Find(entry.Path.Parent) is { IsDirectory: true } directory ? directory : throw new InvalidDataException($"{entry.Path}: no directory above it");
        FileName name = entry.Path.Name;
        parent.ModificationTime = Now;
        if (name.ToString() == ".wh..wh..opq")
        {
            foreach ((FileName old, Inode inode) in parent.Children.ToList())
                _ = made.Contains(inode) ? throw new InvalidDataException($"{entry.Path}: comes after '{old}'") : parent.Remove(old);
            return;
        }
        if (name.Bytes.StartsWith(".wh."u8))
        {
            FileName gone = new(name.Bytes[4..].ToArray());
            _ = parent.Child(gone) is { } old && !made.Contains(old) && parent.Remove(gone) ? true : throw new InvalidDataException($"{entry.Path}: there is nothing of this name below");
            return;
        }
        Inode? existing = parent.Child(name);
        if (existing is { IsDirectory: true } && entry.Inode is { IsDirectory: true } same)
        {
            Become(existing, same, times);
            return;
        }
        if (existing is not null)
            parent.Remove(name);
        Inode inode2 = entry.HardLinkTo is not { } target ? entry.Inode!
            : tree.Find(target) is { } first && made.Contains(first) ? first : throw new InvalidDataException($"{entry.Path}: links to what the archive did not make: {target}");
        made.Add(inode2);
        parent.Add(name, inode2);
        if (inode2.IsDirectory)
            times[inode2] = inode2.ModificationTime;
    }

    private static void Become(Inode directory, Inode to, Dictionary<Inode, Timestamp> times)
    {
        (directory.Mode, directory.Uid, directory.Gid, directory.Xattrs) = (to.Mode, to.Uid, to.Gid, to.Xattrs);
        times[directory] = to.ModificationTime;
    }
}
