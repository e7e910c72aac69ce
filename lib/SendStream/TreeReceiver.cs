using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>Carries out the commands of streams on trees.</summary>
internal sealed partial class TreeReceiver : IDisposable
{
    private const uint PermissionBits = 0xFFF; // 07777

    private readonly Tree? _parent;
    private readonly Func<Guid, Tree?>? _known;
    private readonly SendStreamLimits _limits;
    private readonly OpenContents _contents;
    private readonly List<ReceivedSubvolume> _received = [];
    private readonly Dictionary<Guid, Tree> _trees = []; // what later streams of the input may build upon
    private ReceivedSubvolume? _current;
    private StreamPaths _paths = new(new Tree());

    public TreeReceiver(ContentStore contents, Tree? parent, Func<Guid, Tree?>? known, SendStreamLimits? limits)
    {
        (_parent, _known, _limits) = (parent, known, limits ?? SendStreamLimits.Default);
        _contents = new OpenContents(contents);
    }

    /// <summary>The subvolumes that are complete, in the order of the input.</summary>
    public IReadOnlyList<ReceivedSubvolume> Received => _received;

    public void Receive(Stream input)
    {
        SendStreamReader reader = new(input, _limits);
        while (reader.Read())
            Receive(reader.Command);
    }

    public void Dispose() => _contents.Dispose();

    private void Receive(SendCommand command)
    {
        if (command.Kind is SendCommandKind.Subvol or SendCommandKind.Snapshot)
        {
            Finish(); // "btrfs send -e" ends a subvolume by starting the next
            Begin(command);
            return;
        }
        if (_current is null && SendStreamFormat.IsKnown(command.Kind))
            throw command.Error(Fault.NoSubvolume, "the first command of a stream must be subvol or snapshot");
        switch (command.Kind)
        {
            case SendCommandKind.Mkfile: Make(command, Inode.File(NewFileMode, OpenContents.Nothing)); break;
            case SendCommandKind.Mkdir: Make(command, Inode.Directory(NewDirectoryMode)); break;
            case SendCommandKind.Mknod: Make(command, NewDevice(command)); break;
            case SendCommandKind.Mkfifo: Make(command, Inode.Fifo(NewFileMode)); break;
            case SendCommandKind.Mksock: Make(command, Inode.Socket(NewFileMode)); break;
            case SendCommandKind.Symlink: Make(command, NewSymlink(command)); break;
            case SendCommandKind.Rename: Rename(command); break;
            case SendCommandKind.Link: Link(command); break;
            case SendCommandKind.Unlink: Unlink(command); break;
            case SendCommandKind.Rmdir: Rmdir(command); break;
            case SendCommandKind.SetXattr: SetXattr(command); break;
            case SendCommandKind.RemoveXattr: RemoveXattr(command); break;
            case SendCommandKind.Chmod: Chmod(command); break;
            case SendCommandKind.Chown: Chown(command); break;
            case SendCommandKind.Utimes: Target(command).ModificationTime = command.Time(A.Mtime); break;
            case SendCommandKind.Write: Write(command); break;
            case SendCommandKind.EncodedWrite: WriteEncoded(command); break;
            case SendCommandKind.Clone: Clone(command); break;
            case SendCommandKind.Truncate: Truncate(command); break;
            case SendCommandKind.Fallocate: Fallocate(command); break;
            case SendCommandKind.UpdateExtent: throw command.Error(Fault.NoData, $"{Show(command)}: the stream was made without data (send --no-data)");
            case SendCommandKind.FileAttr: _ = Target(command); break; // flags of btrfs inodes are not part of the state; receive ignores them, too
            case SendCommandKind.EnableVerity: _ = TargetFile(command); break; // nor is fs-verity, which changes no byte
            case SendCommandKind.End: Finish(); break;
        }
    }

    private void Begin(SendCommand command)
    {
        Guid uuid = command.Uuid(A.Uuid);
        if (_received.Exists(r => r.Uuid == uuid))
            throw command.Error(Fault.SubvolumeRepeated, $"subvolume {uuid} is described twice");
        FileName name;
        try
        {
            name = new FileName(command.Bytes(A.Path).ToArray());
        }
        catch (InvalidDataException e)
        {
            throw command.Error(Fault.SubvolumeName, $"the subvolume's name: {e.Message}", e);
        }
        Guid? parentUuid = null;
        Tree tree;
        if (command.Kind == SendCommandKind.Subvol)
            tree = new Tree();
        else
        {
            parentUuid = command.Uuid(A.CloneUuid);
            Tree parent = Known(parentUuid.Value) ?? _parent ?? throw command.Error(Fault.ParentUnknown, $"{Show(command)}: the parent subvolume {parentUuid} is not known");
            _trees[parentUuid.Value] = parent;
            tree = parent.Copy();
        }
        _current = new ReceivedSubvolume(name, uuid, command.UInt64(A.Ctransid), parentUuid, tree);
        _paths = new StreamPaths(tree);
    }

    private void Finish()
    {
        if (_current is null)
            return;
        _contents.CompleteAll();
        _received.Add(_current);
        _trees[_current.Uuid] = _current.Tree;
        _current = null;
    }

    /// <summary>The state of another subvolume than the one being received.</summary>
    private Tree? Known(Guid uuid) => _trees.TryGetValue(uuid, out Tree? tree) ? tree : _known?.Invoke(uuid);

    private Inode Target(SendCommand command) => _paths.Find(command, command.Bytes(A.Path));

    private Inode TargetFile(SendCommand command)
    {
        Inode file = Target(command);
        return file.Kind == FileKind.File ? file : throw command.Error(Fault.NotAFile, $"{Show(command)} is {StreamPaths.Describe(file)}, expected a regular file");
    }

    private static string Show(SendCommand command, SendAttribute path = A.Path) => StreamPaths.Show(command.Bytes(path));

    private void SetXattr(SendCommand command)
    {
        byte[] name = command.Bytes(A.XattrName).ToArray();
        if (name.Length is 0 or > SendStreamFormat.MaxXattrNameLength || name.AsSpan().Contains((byte)0))
            throw command.Error(Fault.XattrName, $"{Show(command)}: {StreamPaths.Show(name)} cannot be the name of an extended attribute");
        Inode inode = Target(command);
        inode.Xattrs = inode.Xattrs.With(name, command.Bytes(A.XattrData).ToArray());
    }

    private void RemoveXattr(SendCommand command)
    {
        byte[] name = command.Bytes(A.XattrName).ToArray();
        Inode inode = Target(command);
        if (inode.Xattrs.Find(name) is null)
            throw command.Error(Fault.XattrMissing, $"{Show(command)}: it has no extended attribute {StreamPaths.Show(name)}");
        inode.Xattrs = inode.Xattrs.Without(name);
    }

    private void Chmod(SendCommand command)
    {
        Inode inode = Target(command);
        if (inode.Kind == FileKind.Symlink)
            throw command.Error(Fault.IsASymlink, $"{Show(command)} is a symlink, which has no mode");
        ulong mode = command.UInt64(A.Mode);
        if (mode > PermissionBits)
            throw command.Error(Fault.ModeInvalid, $"{Show(command)}: mode 0{Convert.ToString((long)mode, 8)} has more than permission bits");
        inode.Mode = (uint)mode;
    }

    private void Chown(SendCommand command)
    {
        Inode inode = Target(command);
        (inode.Uid, inode.Gid) = (Id(A.Uid), Id(A.Gid));

        // The highest number means "no change" to chown(2) and is nobody's.
        uint Id(SendAttribute attribute)
        {
            ulong id = command.UInt64(attribute);
            return id < uint.MaxValue ? (uint)id : throw command.Error(Fault.IdInvalid, $"{Show(command)}: {id} cannot be a {SendStreamFormat.NameOf(attribute)}");
        }
    }
}
