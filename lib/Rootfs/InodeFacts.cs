using Layerbox.FileTree;
using Layerbox.Posix;

namespace Layerbox.Rootfs;

/// <summary>
/// Owner, mode, attributes and time of an inode as they are on disk now, and the way from these to what they are to be, in the order
/// that the kernel's side effects ask for: a change of owner drops setuid and the capability, a change of mode rewrites the ACL, all of
/// them may follow a write that sets the time.
/// </summary>
internal readonly struct InodeFacts
{
    /// <summary>A mode that no inode has: it must be set.</summary>
    private const uint Unknown = uint.MaxValue;

    private const uint OwnerMayWrite = 0x80, SetIds = 0xC00;

    private readonly uint _uid, _gid, _mode;
    private readonly XattrSet _xattrs;
    private readonly Timestamp? _time;

    private InodeFacts(uint uid, uint gid, uint mode, XattrSet xattrs, Timestamp? time)
    {
        (_uid, _gid, _mode, _xattrs, _time) = (uid, gid, mode, xattrs, time);
    }

    public static ReadOnlySpan<byte> AccessAcl => "system.posix_acl_access"u8;
    public static ReadOnlySpan<byte> DefaultAcl => "system.posix_acl_default"u8;

    /// <summary>Of an inode that we made, so that it is ours; its mode depends on the umask.</summary>
    public static InodeFacts New(uint gid) => new(Directories.EffectiveUid, gid, Unknown, XattrSet.Empty, null);

    public static InodeFacts Of(Inode inode) => new(inode.Uid, inode.Gid, inode.Mode, inode.Xattrs, inode.ModificationTime);

    /// <summary>The same with the mode or the time no longer known, because we changed them meanwhile.</summary>
    public InodeFacts But(bool modeChanged, bool timeChanged) =>
        new(_uid, _gid, modeChanged ? Unknown : _mode, _xattrs, timeChanged ? null : _time);

    public bool Equal(Inode to) =>
        _uid == to.Uid && _gid == to.Gid && (_mode == to.Mode || to.Kind == FileKind.Symlink)
        && _time == to.ModificationTime && _xattrs.Equals(to.Xattrs);

    /// <summary>Makes them what <paramref name="to"/> says.</summary>
    /// <param name="entry">The inode on disk.</param>
    /// <param name="to">What it is to be.</param>
    /// <param name="isWritten">Whether its bytes were written since, which drops the capability.</param>
    public void Change(Entry entry, Inode to, bool isWritten)
    {
        bool newOwner = _uid != to.Uid || _gid != to.Gid;
        bool hasMode = to.Kind != FileKind.Symlink;
        bool newMode = hasMode && (_mode != to.Mode || (newOwner && (to.Mode & SetIds) != 0));
        bool newXattrs = !_xattrs.Equals(to.Xattrs);
        if (newOwner)
            entry.SetOwner(to.Uid, to.Gid);
        if (newXattrs && hasMode && !Directories.IsRoot && (_mode & OwnerMayWrite) == 0)
        {
            entry.SetMode(_mode | OwnerMayWrite);
            newMode = true;
        }
        if (newXattrs || to.Xattrs.Count > 0)
            ChangeXattrs(entry, to.Xattrs, acls: false, again: newOwner || isWritten);
        if (newMode)
            entry.SetMode(to.Mode);
        if (newXattrs || to.Xattrs.Count > 0)
            ChangeXattrs(entry, to.Xattrs, acls: true, again: newMode);
        if (_time != to.ModificationTime || isWritten)
            entry.SetTime(to.ModificationTime);
    }

    private void ChangeXattrs(Entry entry, XattrSet to, bool acls, bool again)
    {
        foreach (Xattr xattr in _xattrs.Items)
            if (IsAcl(xattr.Name) == acls && to.Find(xattr.Name) is null)
                entry.RemoveXattr(xattr.Name);
        foreach (Xattr xattr in to.Items)
        {
            if (IsAcl(xattr.Name) != acls)
                continue;
            bool isLost = again && (acls || xattr.Name.AsSpan().SequenceEqual("security.capability"u8));
            if (isLost || _xattrs.Find(xattr.Name) is not { } now || !now.AsSpan().SequenceEqual(xattr.Value))
                entry.SetXattr(xattr);
        }
    }

    private static bool IsAcl(ReadOnlySpan<byte> name) => name.SequenceEqual(AccessAcl) || name.SequenceEqual(DefaultAcl);
}
