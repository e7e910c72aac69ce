using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// Carries out the commands of streams on the states of subvolumes: here are the rules, which are the same for what receives a tree and for
/// what only checks.
/// </summary>
/// <typeparam name="TNode">What stands for a file or directory in these states.</typeparam>
internal sealed partial class StreamReceiver<TNode> where TNode : notnull
{
    private const uint PermissionBits = 0xFFF; // 07777

    private static readonly FileName s_nameless = new("nameless"u8.ToArray());

    private readonly ISubvolumeStates<TNode> _set;
    private Guid _uuid;
    private SubvolumeState<TNode>? _state; // null between subvolumes
    private PathLookup<TNode>? _lookup;

    public StreamReceiver(ISubvolumeStates<TNode> set) => _set = set;

    private SubvolumeState<TNode> State => _state!;

    private PathLookup<TNode> Paths => _lookup!;

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
        if (_state is null && SendStreamFormat.IsKnown(command.Kind))
            throw command.Error(Fault.NoSubvolume, "the first command of a stream must be subvol or snapshot");
        switch (command.Kind)
        {
            case SendCommandKind.Mkfile: Make(command, FileKind.File, NewFileMode); break;
            case SendCommandKind.Mkdir: Make(command, FileKind.Directory, NewDirectoryMode); break;
            case SendCommandKind.Mknod: MakeDevice(command); break;
            case SendCommandKind.Mkfifo: Make(command, FileKind.Fifo, NewFileMode); break;
            case SendCommandKind.Mksock: Make(command, FileKind.Socket, NewFileMode); break;
            case SendCommandKind.Symlink: MakeSymlink(command); break;
            case SendCommandKind.Rename: Rename(command); break;
            case SendCommandKind.Link: Link(command); break;
            case SendCommandKind.Unlink: Unlink(command); break;
            case SendCommandKind.Rmdir: Rmdir(command); break;
            case SendCommandKind.SetXattr: SetXattr(command); break;
            case SendCommandKind.RemoveXattr: RemoveXattr(command); break;
            case SendCommandKind.Chmod: Chmod(command); break;
            case SendCommandKind.Chown: Chown(command); break;
            case SendCommandKind.Utimes: State.SetTime(Target(command, TreeAspects.Time), command.Time(A.Mtime)); break;
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
        if (parentUuid is null && _set.IsDescribed(uuid))
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
        _state = _set.Begin(name, uuid, command.UInt64(A.Ctransid), parentUuid)
            ?? throw command.Error(Fault.ParentUnknown, $"{Show(command)}: the parent subvolume {parentUuid} is not known");
        (_uuid, _lookup, _cloneSource) = (uuid, new PathLookup<TNode>(_state), default);
        if (fault is not null)
            throw fault;
    }

    private void Finish()
    {
        if (_state is null)
            return;
        _set.End();
        _state = null;
    }

    /// <summary>What a command is about.</summary>
    private TNode Target(SendCommand command, TreeAspects set = TreeAspects.None)
    {
        TNode node = Paths.Find(command, command.Bytes(A.Path));
        State.Note(node, set);
        return node;
    }

    /// <summary>The kind of what a command is about, that was carried out.</summary>
    public FileKind KindOfTarget(SendCommand command) => State.KindOf(Target(command));

    /// <summary>The regular file that a command is about.</summary>
    private TNode TargetFile(SendCommand command, TreeAspects set = TreeAspects.Content)
    {
        TNode file = Target(command);
        if (State.KindOf(file) is not FileKind.File and var kind)
            throw command.Error(kind == FileKind.Symlink ? Fault.ThroughSymlink : Fault.NotAFile, $"{Show(command)} is {StreamPaths.Describe(kind)}, expected a regular file");
        State.Note(file, TreeAspects.Kind | set);
        return file;
    }

    private static string Show(SendCommand command, SendAttribute path = A.Path) => StreamPaths.Show(command.Bytes(path));

    private void SetXattr(SendCommand command)
    {
        ReadOnlySpan<byte> name = command.Bytes(A.XattrName);
        if (name.Length is 0 or > SendStreamFormat.MaxXattrNameLength || name.Contains((byte)0))
            throw command.Error(Fault.XattrName, $"{Show(command)}: {StreamPaths.Show(name)} cannot be the name of an extended attribute");
        TNode node = Target(command, TreeAspects.Xattrs);
        // In a tree each is a copy of all before it: without a limit, a million of them would take hours.
        if (!State.HasXattr(node, name) && State.XattrListLength(node) is > 0 and var taken && taken + name.Length + 1 > SendStreamFormat.MaxXattrListLength)
            throw command.Error(Fault.XattrTooMany, $"{Show(command)}: the names of its extended attributes take more than {SendStreamFormat.MaxXattrListLength} bytes");
        State.SetXattr(node, name, command.Bytes(A.XattrData));
    }

    private void RemoveXattr(SendCommand command)
    {
        ReadOnlySpan<byte> name = command.Bytes(A.XattrName);
        TNode node = Target(command, TreeAspects.Xattrs);
        if (!State.HasXattr(node, name) && !State.IsTakenForGranted(node))
            throw command.Error(Fault.XattrMissing, $"{Show(command)}: it has no extended attribute {StreamPaths.Show(name)}");
        State.RemoveXattr(node, name);
    }

    private void Chmod(SendCommand command)
    {
        TNode node = Target(command, TreeAspects.Mode);
        if (State.KindOf(node) == FileKind.Symlink)
            throw command.Error(Fault.ThroughSymlink, $"{Show(command)} is a symlink, which has no mode");
        ulong mode = command.UInt64(A.Mode);
        if (mode > PermissionBits)
            throw command.Error(Fault.ModeInvalid, $"{Show(command)}: mode 0{Convert.ToString((long)mode, 8)} has more than permission bits");
        State.SetMode(node, (uint)mode);
    }

    private void Chown(SendCommand command)
    {
        TNode node = Target(command, TreeAspects.Owner);
        State.SetOwner(node, Id(A.Uid), Id(A.Gid));

        // The highest number means "no change" to chown(2) and is nobody's.
        uint Id(SendAttribute attribute)
        {
            ulong id = command.UInt64(attribute);
            return id < uint.MaxValue ? (uint)id : throw command.Error(Fault.IdInvalid, $"{Show(command)}: {id} cannot be a {SendStreamFormat.NameOf(attribute)}");
        }
    }
}
