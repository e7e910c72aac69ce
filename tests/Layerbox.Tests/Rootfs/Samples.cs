using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.Rootfs;

/// <summary>Trees with the corners that a filesystem has.</summary>
internal static class Samples
{
    /// <summary>VFS_CAP_REVISION_2 with cap_net_bind_service permitted and effective, as setcap writes it.</summary>
    public static byte[] Capability { get; } = Convert.FromHexString("0100000200040000000000000000000000000000");

    /// <summary>Entries of a POSIX ACL (version 2): user::rw-, user:7:r--, group::r--, mask::r--, other::---.</summary>
    public static byte[] Acl { get; } = Convert.FromHexString(
        "02000000" + "01000600ffffffff" + "0200040007000000" + "04000400ffffffff" + "10000400ffffffff" + "20000000ffffffff");

    public static Inode File(string text, uint mode = 0x1A4 /* 0644 */) =>
        Inode.File(mode, new MemoryContent(Encoding.UTF8.GetBytes(text)));

    public static Inode With(this Inode inode, uint uid = 0, uint gid = 0, Timestamp time = default, params (string Name, byte[] Value)[] xattrs)
    {
        inode.Uid = uid;
        inode.Gid = gid;
        inode.ModificationTime = time;
        inode.Xattrs = XattrSet.From(xattrs.Select(x => new Xattr(Encoding.UTF8.GetBytes(x.Name), x.Value)));
        return inode;
    }

    /// <summary>Adds an inode, and directories above it where they are missing.</summary>
    public static Tree Add(this Tree tree, string path, Inode inode) => tree.Add(TreePath.Parse(path), inode);

    public static Tree Add(this Tree tree, TreePath path, Inode inode)
    {
        Inode at = tree.Root;
        foreach (FileName name in path.Names.SkipLast(1))
        {
            if (at.Child(name) is not { } next)
                at.Add(name, next = Inode.Directory(0x1ED /* 0755 */));
            at = next;
        }
        at.Add(path.Name, inode);
        return tree;
    }

    public static Inode At(this Tree tree, string path) => tree.Find(TreePath.Parse(path))!;

    public static void Remove(this Tree tree, string path)
    {
        TreePath at = TreePath.Parse(path);
        Assert.True(tree.Find(at.Parent)!.Remove(at.Name));
    }

    /// <summary>All kinds, modes, owners, names, times and attributes that make trouble. Root is needed to write it.</summary>
    public static Tree Corners()
    {
        Tree tree = new();
        tree.Root.ModificationTime = new Timestamp(1_700_000_000, 123_456_789);
        tree.Add("usr/bin/ping", File("ping", 0x9ED /* 04755 */).With(33, 44, new(5), ("security.capability", Capability), ("user.z", []), ("user.a", [0, 255])));
        tree.Add("usr/bin/setgid", File("x", 0x5ED /* 02755 */).With(1, 2, new(-5, 999_999_999)));
        tree.Add("usr/bin/unreadable", File("secret", 0).With(65534, 65534, new(1L << 33, 1)));
        tree.Add("usr/empty", File(""));
        tree.Add("usr/large", Inode.File(0x180, new MemoryContent([.. Enumerable.Range(0, 300_001).Select(i => (byte)(i * 7 >> 3))])));
        Inode linked = File("linked").With(7, 8, new(77, 7));
        tree.Add("a/first", linked);
        tree.Add("z/deep/er/second", linked);
        tree.Add("third", linked);
        tree.Add("links/dangling", Inode.Symlink("../../../../nowhere"u8.ToArray()).With(3, 4, new(-1, 5)));
        tree.Add("links/absolute", Inode.Symlink("/etc"u8.ToArray()));
        tree.Add("links/bytes", Inode.Symlink([0xFF, 0x80]).With(time: new(9), xattrs: ("trusted.overlay.x", "y"u8.ToArray())));
        tree.Add("dev/null", Inode.Device(isBlock: false, 0x1B6 /* 0666 */, 1, 3));
        tree.Add("dev/big", Inode.Device(isBlock: true, 0x1B0 /* 0660 */, 259, 1_000_000).With(0, 6, new(4)));
        tree.Add("dev/fifo", Inode.Fifo(0x12F /* 0457 */).With(1, 1, new(3)));
        tree.Add("dev/socket", Inode.Socket(0x1FF).With(2, 2, new(2)));
        tree.Add("var/tmp", Inode.Directory(0x3FF /* 01777 */).With(time: new(11)));
        tree.Add("var/mail", Inode.Directory(0x5F8 /* 02770 */).With(8, 12, new(12)));
        tree.Add("var/mail/box", File("mail").With(9, 9, new(13)));
        tree.Add("var/mail/sub/box", File("mail"));
        tree.Add("var/acl", Inode.Directory(0x1E8 /* 0750 */).With(time: new(14), xattrs: [("system.posix_acl_default", Acl), ("user.dir", [1])]));
        tree.Add("var/acl/plain", File("no acl"));
        tree.Add("var/acl/own", File("acl", 0x1A0 /* 0640 */).With(5, 5, new(15), ("system.posix_acl_access", Acl)));
        tree.Add("var/acl/dir/below", Inode.Fifo(0x1A4));
        tree.Add(TreePath.Root.Append(new FileName([0xC3, 0x28, 0xFF, (byte)'\n', 1])), File("not UTF-8"));
        tree.Add(TreePath.Root.Append(new FileName(new string('n', 255))), File("255"));
        tree.Add("closed", Inode.Directory(0).With(time: new(16)));
        tree.Add("closed/inside", File("x"));
        return tree;
    }
}
