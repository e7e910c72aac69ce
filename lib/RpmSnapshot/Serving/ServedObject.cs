using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>An open file that answers are sent from. For the loop's thread alone.</summary>
/// <param name="digest">The sha256 that it must have.</param>
/// <param name="file">Its handle.</param>
internal sealed class ServedObject(string digest, SafeFileHandle file)
{
    private int _users = 1;

    public string Digest => digest;

    public SafeFileHandle File => file;

    /// <summary>Where it stands among those that are kept open.</summary>
    public LinkedListNode<ServedObject>? Place { get; set; }

    public ServedObject Use()
    {
        _users++;
        return this;
    }

    /// <summary>Ends one use; the last one closes the file.</summary>
    public void Release()
    {
        if (--_users == 0)
            file.Dispose();
    }
}

/// <summary>What tells whether a file was touched since it was looked at.</summary>
internal readonly record struct FileIdentity(uint DevMajor, uint DevMinor, ulong Inode, long Size, long Modified, uint ModifiedNanoseconds, long Changed, uint ChangedNanoseconds)
{
    public static FileIdentity Of(in FileStatus status) =>
        new(status.DevMajor, status.DevMinor, status.Inode, status.Size, status.ModificationSeconds, status.ModificationNanoseconds, status.ChangeSeconds, status.ChangeNanoseconds);
}
