namespace Layerbox.FileTree;

/// <summary>Two states of one directory side by side, and what of the one can become part of the other: the questions of all who write differences.</summary>
public static class TreeMerge
{
    /// <summary>All names of both, in canonical order, with what each has under it. Either may be missing or be no directory.</summary>
    public static IEnumerable<(FileName Name, Inode? From, Inode? To)> Children(Inode? from, Inode? to)
    {
        ChildList a = from?.Children ?? default, b = to?.Children ?? default;
        for (int i = 0, j = 0; i < a.Count || j < b.Count;)
        {
            int order = i == a.Count ? 1 : j == b.Count ? -1 : a[i].Key.CompareTo(b[j].Key);
            yield return (order <= 0 ? a[i].Key : b[j].Key, order <= 0 ? a[i].Value : null, order >= 0 ? b[j].Value : null);
            if (order <= 0)
                i++;
            if (order >= 0)
                j++;
        }
    }

    /// <summary>Whether one inode on disk can become the other without being made anew.</summary>
    public static bool CanBecome(Inode from, Inode to) =>
        from.Kind == to.Kind
        && from.Target.AsSpan().SequenceEqual(to.Target)
        && (from.DeviceMajor, from.DeviceMinor) == (to.DeviceMajor, to.DeviceMinor);

    /// <summary>Whether two regular files have the same bytes, or neither inode is one.</summary>
    public static bool HaveSameContent(Inode from, Inode to) =>
        ReferenceEquals(from.Content, to.Content) || (from.Content is { } a && to.Content is { } b && a.HasSameBytes(b));
}
