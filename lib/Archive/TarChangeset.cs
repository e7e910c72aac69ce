using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>
/// Writes what makes one tree of another as an archive of changes, the form of container images' layers (OCI image specification,
/// layer.md): equal pairs of trees give equal bytes.
/// <list type="bullet">
/// <item>Every path that was added or changed, complete, as <see cref="TarWriter"/> writes it, and all directories above it with their
/// metadata, since unpacking changes their times. Who applies the archive removes what is at a path, unless both are directories, and makes it anew.</item>
/// <item>A hard-linked inode with all its names, if one of them is written: names that are made anew would else part from the others.</item>
/// <item>".wh.NAME" for a name that is gone; ".wh..wh..opq" alone for a directory that held several names and has none of them any more.
/// They stand after their directory and before what it holds.</item>
/// </list>
/// </summary>
public static class TarChangeset
{
    private static ReadOnlySpan<byte> Whiteout => ".wh."u8;
    private static ReadOnlySpan<byte> OpaqueWhiteout => ".wh..wh..opq"u8;

    /// <summary>Writes the whole archive. The stream is not closed.</summary>
    /// <exception cref="InvalidDataException">The changes hold what tar cannot, or a name that begins with ".wh."; says the path.</exception>
    public static void Write(Stream destination, Tree from, Tree to, TarWriterOptions? options = null)
    {
        HashSet<Inode> written = new(ReferenceEqualityComparer.Instance);
        Dictionary<Inode, Removal> removals = new(ReferenceEqualityComparer.Instance);
        foreach (TreeChange change in TreeDifference.Compare(from, to))
        {
            if (change.To is not null)
                written.Add(change.To);
            else if (to.Find(change.Path.Parent) is { IsDirectory: true } directory)
            {
                written.Add(directory);
                if (!removals.TryGetValue(directory, out Removal? removal))
                    removals.Add(directory, removal = new Removal(from.Find(change.Path.Parent)!.ChildCount));
                removal.Names.Add(change.Path.Name);
            }
        }
        AddDirectoriesAbove(to, written);
        using TarMemberWriter members = new(destination, options);
        TarWriter.WriteMembers(members, to, written.Contains, (path, inode) =>
        {
            if (!path.IsRoot && path.Name.Bytes.StartsWith(Whiteout))
                throw new InvalidDataException($"{path}: a name that begins with '.wh.' cannot be in an archive of changes, where it means that something is gone");
            if (removals.TryGetValue(inode, out Removal? removal))
                AddWhiteouts(members, path, removal);
        });
        members.Finish();
    }

    private static void AddDirectoriesAbove(Tree tree, HashSet<Inode> written)
    {
        List<Inode> above = [];
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            above.RemoveRange(at.Depth, above.Count - at.Depth);
            if (written.Contains(at.Inode))
                for (int depth = at.Depth - 1; depth >= 0 && written.Add(above[depth]); depth--)
                {
                }
            above.Add(at.Inode);
        }
    }

    private static void AddWhiteouts(TarMemberWriter members, TreePath directory, Removal removal)
    {
        if (removal.Names.Count > 1 && removal.Names.Count == removal.NamesBefore)
        {
            members.AddMarker(directory, OpaqueWhiteout);
            return;
        }
        foreach (FileName name in removal.Names)
            members.AddMarker(directory, [.. Whiteout, .. name.Bytes]);
    }

    /// <summary>What a directory has lost.</summary>
    private sealed record Removal(int NamesBefore)
    {
        public List<FileName> Names { get; } = [];
    }
}
