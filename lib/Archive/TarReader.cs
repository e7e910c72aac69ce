using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>
/// Reads tar archives of all common kinds: v7, ustar, GNU (long names, sparse files, large numbers) and pax with the extended
/// attributes of star, GNU tar and bsdtar. Names, targets and attributes are bytes and stay as they are.
/// </summary>
public static class TarReader
{
    /// <summary>
    /// The members in the order of the archive, read as they are asked for. The source is read forwards up to its end and not
    /// closed; it must not be compressed. File bytes are in the store when their entry is given.
    /// </summary>
    /// <exception cref="InvalidDataException">
    /// Malformed: says the offset, the member and what is wrong. Also a member outside the archive's root ("..") and one of a kind
    /// that does not belong into a filesystem tree.
    /// </exception>
    public static IEnumerable<TarEntry> Read(Stream source, ContentStore store)
    {
        using TarInput input = new(source);
        TarMemberReader members = new(input, store);
        while (members.Next() is { } entry)
            yield return entry;
    }
}
