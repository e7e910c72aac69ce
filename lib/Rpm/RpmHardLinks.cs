namespace Layerbox.Rpm;

/// <summary>Which files of a package are names of the same one: regular ones with the same device and inode in the header, ghosts apart.</summary>
internal sealed class RpmHardLinks
{
    private readonly Dictionary<(ulong Device, ulong Inode), Group> _groups = [];
    private readonly HashSet<int> _waiting = [];

    public RpmHardLinks(IReadOnlyList<RpmFile> files)
    {
        foreach (RpmFile file in files)
        {
            if (!HasLinks(file))
                continue;
            if (!_groups.TryGetValue((file.Device, file.Inode), out Group? group))
                _groups.Add((file.Device, file.Inode), group = new Group());
            group.Names.Add(file);
        }
    }

    public bool IsOneOfMany(RpmFile file) => GroupOf(file)?.Names.Count > 1;

    /// <summary>Whether a file is the last of its names, the one whose bytes are in the payload; true of files with one name.</summary>
    public bool IsLast(RpmFile file) => GroupOf(file) is not { } group || group.Names[^1].Index == file.Index;

    /// <summary>
    /// Whether a name that came without bytes is to wait for another one that brings them; it is noted then. Of an empty file that is the one
    /// that comes last.
    /// </summary>
    public bool MustWait(RpmFile file)
    {
        if (GroupOf(file) is not { } group || group.Names.Count == 1 || (file.Size == 0 && group.Waiting == group.Names.Count - 1))
            return false;
        group.Waiting++;
        _waiting.Add(file.Index);
        return true;
    }

    public bool IsWaiting(RpmFile file) => _waiting.Contains(file.Index);

    /// <summary>The names that waited for the bytes that came with this one, itself included.</summary>
    public IReadOnlyList<RpmFile> Settle(RpmFile file)
    {
        if (GroupOf(file) is not { } group || _waiting.Count == 0)
            return [file];
        group.Waiting = 0;
        return [.. group.Names.Where(name => _waiting.Remove(name.Index)), file];
    }

    private Group? GroupOf(RpmFile file) => HasLinks(file) ? _groups.GetValueOrDefault((file.Device, file.Inode)) : null;

    // A directory or a link that claims the inode of a file has no more to do with it than on a disk.
    private static bool HasLinks(RpmFile file) => file.IsRegular && !file.IsGhost && file.Inode != 0;

    private sealed class Group
    {
        public List<RpmFile> Names { get; } = [];

        public int Waiting { get; set; }
    }
}
