namespace Layerbox.Rpm;

/// <summary>Which files of a package are names of the same one: regular ones with the same device and inode in the header, ghosts apart.</summary>
internal sealed class RpmHardLinks
{
    private readonly Dictionary<(ulong Device, ulong Inode), List<RpmFile>> _groups = [];
    private readonly HashSet<int> _waiting = [];

    public RpmHardLinks(IReadOnlyList<RpmFile> files)
    {
        foreach (RpmFile file in files)
        {
            if (!file.IsRegular || file.IsGhost || file.Inode == 0)
                continue;
            if (_groups.TryGetValue((file.Device, file.Inode), out List<RpmFile>? group))
                group.Add(file);
            else
                _groups.Add((file.Device, file.Inode), [file]);
        }
    }

    public bool IsOneOfMany(RpmFile file) => GroupOf(file)?.Count > 1;

    /// <summary>Whether a file is the last of its names, the one whose bytes are in the payload; true of files with one name.</summary>
    public bool IsLast(RpmFile file) => GroupOf(file) is not { } group || group[^1].Index == file.Index;

    /// <summary>Notes a name that came without bytes.</summary>
    public void Wait(RpmFile file) => _waiting.Add(file.Index);

    public bool IsWaiting(RpmFile file) => _waiting.Contains(file.Index);

    /// <summary>The names that waited for the bytes that came with this one, itself included.</summary>
    public IReadOnlyList<RpmFile> Settle(RpmFile file)
    {
        if (GroupOf(file) is not { } group || _waiting.Count == 0)
            return [file];
        return [.. group.Where(name => _waiting.Remove(name.Index)), file];
    }

    private List<RpmFile>? GroupOf(RpmFile file) => _groups.GetValueOrDefault((file.Device, file.Inode));
}
