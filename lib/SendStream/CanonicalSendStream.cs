using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.SendStream;

/// <summary>
/// Writes a tree, or its difference to another, as a send stream whose bytes depend on nothing but these states, the name and the version: the
/// same content gives the same stream on any machine, and btrfs receive makes the same tree of it. docs/canonical-stream.md tells the order.
/// </summary>
public sealed class CanonicalSendStream
{
    /// <summary>The transaction that all canonical streams bear.</summary>
    public const ulong Transid = 1;

    /// <summary>The number after that of a subvolume's root, which is 256 (BTRFS_FIRST_FREE_OBJECTID).</summary>
    private const ulong FirstInode = 257;

    private readonly SendStreamWriter _writer;
    private readonly CanonicalPlan _plan;
    private readonly CanonicalClones? _clones;
    private readonly CanonicalInodes _inodes;
    private readonly CanonicalData _data;
    private readonly Guid _uuid, _parentUuid;
    private readonly CanonicalSendOptions _options;
    private readonly Dictionary<Inode, byte[]> _firstNames = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Inode> _changed = new(ReferenceEqualityComparer.Instance);
    private readonly Stack<Folder> _open = new();

    private CanonicalSendStream(Stream output, Tree tree, CanonicalSendOptions options)
    {
        _options = options;
        _writer = new SendStreamWriter(output, options.Version);
        _data = new CanonicalData(_writer);
        _uuid = UuidOf(tree);
        _parentUuid = options.ParentUuid ?? (options.Parent is { } parent ? UuidOf(parent) : default);
        _plan = new CanonicalPlan(options.Parent, tree);
        _clones = options.Storage is null ? null : new CanonicalClones(tree, _uuid, _parentUuid, options);
        _inodes = new CanonicalInodes(_writer, FirstInode + _plan.ParentInodes);
    }

    /// <summary>A directory of either tree that the walk is in.</summary>
    private sealed record Folder(byte[] Path, Inode? From, Inode? To)
    {
        /// <summary>Whether names in it were made or taken away, which changes its time.</summary>
        public bool IsTouched { get; set; }

        /// <summary>Whether it has lost what it hands down to what is made in it.</summary>
        public bool IsBare { get; set; }
    }

    /// <summary>Writes a full stream.</summary>
    /// <param name="output">Takes the bytes; is not closed.</param>
    /// <param name="tree">What the stream shall make. It must not change meanwhile.</param>
    /// <param name="name">The subvolume's name at the receiver.</param>
    /// <param name="version">1, which every receiver understands, or 2, with larger writes.</param>
    /// <exception cref="InvalidDataException">The name is none, or the tree holds what streams cannot say (a path beyond PATH_MAX).</exception>
    public static void Write(Stream output, Tree tree, string name, uint version = 1) =>
        Write(output, tree, new FileName(name), new CanonicalSendOptions { Version = version });

    /// <summary>Writes a full stream, or one that tells the difference to a parent.</summary>
    /// <param name="output">Takes the bytes; is not closed.</param>
    /// <param name="tree">What the stream shall make. It must not change meanwhile.</param>
    /// <param name="name">The subvolume's name at the receiver.</param>
    /// <param name="options">The parent, the version, and where reflinks are.</param>
    /// <exception cref="InvalidDataException">A tree holds what streams cannot say (a path beyond PATH_MAX).</exception>
    public static void Write(Stream output, Tree tree, FileName name, CanonicalSendOptions options)
    {
        CanonicalSendStream stream = new(output, tree, options);
        stream.Write(tree, name);
        stream._writer.Flush();
    }

    /// <summary>The uuid that the streams of a tree bear: the first half of its digest, marked as a uuid of version 8 (RFC 9562: custom).</summary>
    public static Guid UuidOf(Tree tree)
    {
        Span<byte> uuid = TreeDigest.Compute(tree).AsSpan(0, SendStreamFormat.UuidLength);
        uuid[6] = (byte)((uuid[6] & 0x0F) | 0x80);
        uuid[8] = (byte)((uuid[8] & 0x3F) | 0x80);
        return new Guid(uuid, bigEndian: true);
    }

    private void Write(Tree tree, FileName name)
    {
        _writer.Begin(_options.Parent is null ? SendCommandKind.Subvol : SendCommandKind.Snapshot, name.Bytes).Uuid(A.Uuid, _uuid).UInt64(A.Ctransid, Transid);
        if (_options.Parent is not null)
            _writer.Uuid(A.CloneUuid, _parentUuid).UInt64(A.CloneCtransid, _options.ParentTransid);
        _writer.End();
        for (TreePairCursor at = new(_options.Parent, tree); at.MoveNext();)
        {
            while (_open.Count > at.Depth)
                Leave();
            if (at.Path.Length > SendStreamFormat.MaxPathLength)
                throw CanonicalInodes.Unsayable(at.Path, $"a path of {at.Path.Length} bytes, a send stream can say {SendStreamFormat.MaxPathLength}");
            if (at.Depth == 0)
                _open.Push(new Folder([], at.From, at.To) { IsTouched = true }); // receivers may touch the root on their own
            else
                Visit(at.Path, at.From, at.To);
        }
        while (_open.Count > 0)
            Leave();
        _writer.Begin(SendCommandKind.End).End();
    }

    private void Visit(ReadOnlySpan<byte> path, Inode? from, Inode? to)
    {
        bool isKept = from is not null && to is not null && _plan.Keeps(from, to);
        if (from is not null && !isKept)
        {
            _open.Peek().IsTouched = true;
            if (from.IsDirectory)
            {
                _open.Push(new Folder(path.ToArray(), from, to)); // it goes when all below it is gone
                return;
            }
            _writer.Begin(SendCommandKind.Unlink, path).End();
        }
        if (to is null)
            return;
        if (!isKept)
            Make(path, to);
        else if (!to.IsDirectory)
            Change(path, from!, to);
        if (to.IsDirectory)
            _open.Push(new Folder(path.ToArray(), isKept ? from : null, to));
    }

    // A directory gets its attributes after its content: what is made in it changes its time, and takes over its setgid bit, default ACL
    // and properties.
    private void Leave()
    {
        Folder folder = _open.Pop();
        if (folder.To is { IsDirectory: true } to)
        {
            Inode? from = folder.From;
            if (from is not null && folder.IsBare)
            {
                from = from.CopyWithoutChildren();
                from.Xattrs = XattrSet.From(from.Xattrs.Items.Where(xattr => !CanonicalInodes.IsHandedDown(xattr.Name)));
            }
            if (from is not null)
                _inodes.RemoveXattrs(folder.Path, from.Xattrs, to.Xattrs);
            _inodes.WriteAttributes(folder.Path, to, from, folder.IsTouched);
            return;
        }
        _writer.Begin(SendCommandKind.Rmdir, folder.Path).End();
        if (folder.To is not null)
            Make(folder.Path, folder.To);
    }

    private void Make(ReadOnlySpan<byte> path, Inode inode)
    {
        Folder folder = _open.Peek();
        folder.IsTouched = true;
        if (inode.Links > 1 && !inode.IsDirectory)
        {
            if ((_firstNames.GetValueOrDefault(inode) ?? _plan.KeptName(inode)) is { } other)
            {
                _writer.Begin(SendCommandKind.Link, path).Bytes(A.PathLink, other).End();
                return;
            }
            _firstNames.Add(inode, path.ToArray());
        }
        if (folder is { From: not null, IsBare: false })
            folder.IsBare = _inodes.RemoveHandedDown(folder.Path, folder.From.Xattrs);
        _inodes.Make(path, inode);
        if (inode.IsDirectory)
            return;
        if (inode.Content is not null)
            WriteContent(path, inode, before: null);
        _inodes.WriteAttributes(path, inode, from: null, isWritten: true);
    }

    private void Change(ReadOnlySpan<byte> path, Inode from, Inode to)
    {
        if (to.Links > 1 && !_changed.Add(to))
            return;
        _inodes.RemoveXattrs(path, from.Xattrs, to.Xattrs);
        bool isWritten = !TreeMerge.HaveSameContent(from, to);
        if (isWritten)
            WriteContent(path, to, from.Content);
        _inodes.WriteAttributes(path, to, from, isWritten);
    }

    private void WriteContent(ReadOnlySpan<byte> path, Inode file, FileContent? before)
    {
        if (_plan.SourceOf(file.Content!) is { } source)
            _data.Clone(path, file.Content!.Size, before, new CloneSource(_parentUuid, _options.ParentTransid, source));
        else
            _data.Write(path, file.Content!, before, _clones?.Find(file) ?? []);
    }
}
