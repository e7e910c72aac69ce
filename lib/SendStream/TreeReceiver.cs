using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>Carries out the commands of streams on the trees of a set.</summary>
internal sealed partial class TreeReceiver
{
    private const uint PermissionBits = 0xFFF; // 07777

    private static readonly FileName s_nameless = new("nameless"u8.ToArray());

    private readonly SubvolumeSet _set;
    private readonly ContentReceiver _contents;
    private readonly SendStreamLimits _limits;
    private ReceivedSubvolume? _current;
    private Placeholders? _placeholders;
    private StreamPaths _paths = new(new Tree());

    public TreeReceiver(SubvolumeSet set, ContentReceiver contents) => (_set, _contents, _limits) = (set, contents, set.Limits);

    public void Receive(SendStreamReader reader)
    {
        while (reader.Read())
            Receive(reader.Command);
    }

    /// <summary>Carries out one command: whole, or not at all when it throws. Only a subvolume with a wrong name or uuid is begun for all that.</summary>
    public void Receive(SendCommand command)
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
            case SendCommandKind.Mkfile: Make(command, Inode.File(NewFileMode, ContentReceiver.Nothing)); break;
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
            case SendCommandKind.Utimes: Target(command, TreeAspects.Time).ModificationTime = command.Time(A.Mtime); break;
            case SendCommandKind.Write: Write(command); break;
            case SendCommandKind.EncodedWrite: WriteEncoded(command); break;
            case SendCommandKind.Clone: Clone(command); break;
            case SendCommandKind.Truncate: Truncate(command); break;
            case SendCommandKind.Fallocate: Fallocate(command); break;
            case SendCommandKind.UpdateExtent: Mark(command); break;
            case SendCommandKind.FileAttr: _ = Target(command); break; // flags of btrfs inodes are not part of the state; receive ignores them, too
            case SendCommandKind.EnableVerity: _ = TargetFile(command, TreeAspects.None); break; // nor is fs-verity, which changes no byte
            case SendCommandKind.End: Finish(); break;
        }
    }

    private void Begin(SendCommand command)
    {
        Guid uuid = command.Uuid(A.Uuid);
        Guid? parentUuid = command.Kind == SendCommandKind.Snapshot ? command.Uuid(A.CloneUuid) : null;
        SendStreamException? fault = null;
        // A state may be reached again: by sending an older snapshot against a newer one, or one against itself.
        if (parentUuid is null && _set.Find(uuid) is not null)
            fault = command.Error(Fault.SubvolumeRepeated, $"subvolume {uuid} is described twice");
        FileName name = s_nameless;
        try
        {
            name = new FileName(command.Bytes(A.Path).ToArray());
        }
        catch (InvalidDataException e)
        {
            fault = command.Error(Fault.SubvolumeName, $"the subvolume's name: {e.Message}", e);
        }
        ReceivedSubvolume begun = new(name, uuid, command.UInt64(A.Ctransid), parentUuid, new Tree());
        if (parentUuid is { } wanted)
            begun = _set.Snapshot(begun, wanted)
                ?? throw command.Error(Fault.ParentUnknown, $"{Show(command)}: the parent subvolume {parentUuid} is not known");
        _current = begun;
        (_placeholders, _cloneSource) = (_current.Placeholders, default);
        _paths = new StreamPaths(_current.Tree, _placeholders);
        if (fault is not null)
            throw fault;
    }

    private void Finish()
    {
        if (_current is null)
            return;
        _contents.Complete();
        _set.Add(_current);
        _current = null;
    }

    /// <summary>What a command is about.</summary>
    public Inode Target(SendCommand command, TreeAspects set = TreeAspects.None)
    {
        Inode inode = _paths.Find(command, command.Bytes(A.Path));
        _placeholders?.Note(inode, set);
        return inode;
    }

    /// <summary>The regular file that a command is about.</summary>
    private Inode TargetFile(SendCommand command, TreeAspects set = TreeAspects.Content)
    {
        Inode file = Target(command);
        if (file.Kind != FileKind.File)
            throw command.Error(file.Kind == FileKind.Symlink ? Fault.ThroughSymlink : Fault.NotAFile, $"{Show(command)} is {StreamPaths.Describe(file)}, expected a regular file");
        _placeholders?.Note(file, TreeAspects.Kind | set);
        return file;
    }

    private static string Show(SendCommand command, SendAttribute path = A.Path) => StreamPaths.Show(command.Bytes(path));

    private void SetXattr(SendCommand command)
    {
        byte[] name = command.Bytes(A.XattrName).ToArray();
        if (name.Length is 0 or > SendStreamFormat.MaxXattrNameLength || name.AsSpan().Contains((byte)0))
            throw command.Error(Fault.XattrName, $"{Show(command)}: {StreamPaths.Show(name)} cannot be the name of an extended attribute");
        Inode inode = Target(command, TreeAspects.Xattrs);
        // Each is a copy of all before it: without a limit, a million of them would take hours.
        if (inode.Xattrs.Count > 0 && inode.Xattrs.Find(name) is null && name.Length + 1 + inode.Xattrs.Items.Sum(x => x.Name.Length + 1) > SendStreamFormat.MaxXattrListLength)
            throw command.Error(Fault.XattrTooMany, $"{Show(command)}: the names of its extended attributes take more than {SendStreamFormat.MaxXattrListLength} bytes");
        inode.Xattrs = inode.Xattrs.With(name, command.Bytes(A.XattrData).ToArray());
    }

    private void RemoveXattr(SendCommand command)
    {
        byte[] name = command.Bytes(A.XattrName).ToArray();
        Inode inode = Target(command, TreeAspects.Xattrs);
        if (inode.Xattrs.Find(name) is null && !(_placeholders?.Inodes.ContainsKey(inode) ?? false))
            throw command.Error(Fault.XattrMissing, $"{Show(command)}: it has no extended attribute {StreamPaths.Show(name)}");
        inode.Xattrs = inode.Xattrs.Without(name);
    }

    private void Chmod(SendCommand command)
    {
        Inode inode = Target(command, TreeAspects.Mode);
        if (inode.Kind == FileKind.Symlink)
            throw command.Error(Fault.ThroughSymlink, $"{Show(command)} is a symlink, which has no mode");
        ulong mode = command.UInt64(A.Mode);
        if (mode > PermissionBits)
            throw command.Error(Fault.ModeInvalid, $"{Show(command)}: mode 0{Convert.ToString((long)mode, 8)} has more than permission bits");
        inode.Mode = (uint)mode;
    }

    private void Chown(SendCommand command)
    {
        Inode inode = Target(command, TreeAspects.Owner);
        (inode.Uid, inode.Gid) = (Id(A.Uid), Id(A.Gid));

        // The highest number means "no change" to chown(2) and is nobody's.
        uint Id(SendAttribute attribute)
        {
            ulong id = command.UInt64(attribute);
            return id < uint.MaxValue ? (uint)id : throw command.Error(Fault.IdInvalid, $"{Show(command)}: {id} cannot be a {SendStreamFormat.NameOf(attribute)}");
        }
    }
}
