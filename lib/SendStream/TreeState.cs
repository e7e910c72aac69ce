using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>The state of a subvolume as a tree, with the bytes of files where a <see cref="ContentReceiver"/> puts them.</summary>
/// <param name="tree">The tree.</param>
/// <param name="placeholders">What an absent subvolume may have had; null when the whole tree is known.</param>
/// <param name="contents">Takes what is written.</param>
internal sealed class TreeState(Tree tree, Placeholders? placeholders, ContentReceiver contents) : SubvolumeState<Inode>
{
    public override Inode Root => tree.Root;

    public override bool TryFind(Inode folder, ReadOnlySpan<byte> name, out Inode node) => (node = folder.Child(name)!) is not null;

    public override bool TryDiscover(Inode folder, ReadOnlySpan<byte> name, out Inode node) => (node = placeholders?.Discover(folder, name)!) is not null;

    public override Inode AsDirectory(Inode folder, ReadOnlySpan<byte> name, Inode node) => placeholders?.AsDirectory(folder, name, node) ?? node;

    public override FileKind KindOf(Inode node) => node.Kind;

    public override bool HasChildren(Inode node) => node.ChildCount > 0;

    public override bool IsTakenForGranted(Inode node) => placeholders?.Inodes.ContainsKey(node) ?? false;

    public override void Note(Inode node, TreeAspects known) => placeholders?.Note(node, known);

    public override Inode New(FileKind kind, uint mode) => kind switch
    {
        FileKind.File => Inode.File(mode, ContentReceiver.Nothing),
        FileKind.Directory => Inode.Directory(mode),
        FileKind.Fifo => Inode.Fifo(mode),
        FileKind.Socket => Inode.Socket(mode),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public override Inode NewSymlink(ReadOnlySpan<byte> target) => Inode.Symlink(target.ToArray());

    public override Inode NewDevice(bool isBlock, uint mode, uint major, uint minor) => Inode.Device(isBlock, mode, major, minor);

    public override void Add(Inode folder, ReadOnlySpan<byte> name, Inode node)
    {
        FileName added = new(name.ToArray());
        folder.Add(added, node);
        placeholders?.Settle(folder, added);
    }

    public override void Remove(Inode folder, ReadOnlySpan<byte> name, Inode node) => folder.Remove(name);

    public override void SetMode(Inode node, uint mode) => node.Mode = mode;

    public override void SetOwner(Inode node, uint uid, uint gid) => (node.Uid, node.Gid) = (uid, gid);

    public override void SetTime(Inode node, Timestamp modification) => node.ModificationTime = modification;

    public override bool HasXattr(Inode node, ReadOnlySpan<byte> name) => node.Xattrs.Find(name) is not null;

    public override int XattrListLength(Inode node) => node.Xattrs.Items.Sum(xattr => xattr.Name.Length + 1);

    public override void SetXattr(Inode node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) => node.Xattrs = node.Xattrs.With(name.ToArray(), value.ToArray());

    public override void RemoveXattr(Inode node, ReadOnlySpan<byte> name) => node.Xattrs = node.Xattrs.Without(name.ToArray());

    public override long SizeOf(Inode file) => contents.SizeOf(file);

    public override void Write(Inode file, long offset, SendCommand command) => contents.Write(file, offset, command);

    public override void WriteEncoded(Inode file, long offset, EncodedExtent extent, SendCommand command) => contents.WriteEncoded(file, offset, extent, command);

    public override void Mark(Inode file, long offset, long length, SendCommand command) => contents.Mark(file, offset, length, command);

    public override void Copy(Inode source, long sourceOffset, long length, Inode file, long offset, SendCommand command) =>
        contents.Copy(source, sourceOffset, length, file, offset, command);

    public override void SetSize(Inode file, long size, SendCommand command) => contents.SetSize(file, size, command);

    public override void Clear(Inode file, long offset, long length, SendCommand command) => contents.Clear(file, offset, length, command);
}
