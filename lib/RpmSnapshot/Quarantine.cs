using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Where objects go that turned out to be damaged: STORE/quarantine/DIGEST. They are in nobody's way there, a sync fetches them again, and whoever wants to know what
/// happened to the disk has something to look at.
/// </summary>
internal static class Quarantine
{
    private const string Folder = "quarantine";

    /// <summary>Puts an object aside, if that can be done.</summary>
    /// <param name="store">Where it is.</param>
    /// <param name="digest">What it should be.</param>
    /// <param name="damaged">What was looked at: when somebody has put another file in its place, that stays.</param>
    /// <returns>What became of it, to be told.</returns>
    public static string Put(SnapshotStore store, string digest, SafeFileHandle damaged)
    {
        string from = store.PathOf(digest), folder = Path.Join(store.Path, Folder), to = Path.Join(folder, digest);
        try
        {
            if (!IsSame(from, damaged))
                return "something else is in its place by now";
            Directories.MakeAll(folder);
            Files.Rename(from, to, replace: true);
            if (IsSame(to, damaged))
                return $"moved to {Folder}/{digest}";
            // A good one came between the two steps.
            Files.Rename(to, from, replace: false);
            return "something else is in its place by now";
        }
        catch (PosixException e)
        {
            return $"it stays there: {e.Call}: {PosixException.Reason(e.Errno)}";
        }
    }

    private static bool IsSame(string path, SafeFileHandle file)
    {
        FileStatus mine = Files.Status(file);
        return Files.TryStatus(Directories.Current, PathText.ToBytes(path)) is { } there && (there.Inode, there.DevMajor, there.DevMinor) == (mine.Inode, mine.DevMajor, mine.DevMinor);
    }
}
