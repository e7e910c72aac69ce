using Layerbox.FileTree;

namespace Layerbox.Rootfs;

/// <summary>Two directories side by side.</summary>
internal static class TreeMerge
{
    /// <summary>All names of both, in canonical order, with what each has under it. Either may be missing or be no directory.</summary>
    public static IEnumerable<(FileName Name, Inode? From, Inode? To)> Children(Inode? from, Inode? to)
    {
        using IEnumerator<KeyValuePair<FileName, Inode>> a = (from?.Children ?? []).GetEnumerator(), b = (to?.Children ?? []).GetEnumerator();
        bool hasA = a.MoveNext(), hasB = b.MoveNext();
        while (hasA || hasB)
        {
            int order = !hasA ? 1 : !hasB ? -1 : a.Current.Key.CompareTo(b.Current.Key);
            FileName name = order <= 0 ? a.Current.Key : b.Current.Key;
            yield return (name, order <= 0 ? a.Current.Value : null, order >= 0 ? b.Current.Value : null);
            if (order <= 0)
                hasA = a.MoveNext();
            if (order >= 0)
                hasB = b.MoveNext();
        }
    }

    /// <summary>Whether one inode on disk can become the other without being made anew.</summary>
    public static bool CanBecome(Inode from, Inode to) =>
        from.Kind == to.Kind
        && from.Target.AsSpan().SequenceEqual(to.Target)
        && (from.DeviceMajor, from.DeviceMinor) == (to.DeviceMajor, to.DeviceMinor);

    /// <summary>By digest, but for contents that are the same object or differ in size.</summary>
    public static bool HaveSameContent(Inode from, Inode to) =>
        ReferenceEquals(from.Content, to.Content)
        || (from.Content is { } a && to.Content is { } b && a.Size == b.Size && a.Digest.AsSpan().SequenceEqual(b.Digest));
}
