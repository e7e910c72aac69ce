using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

internal sealed partial class StreamReceiver<TNode>
{
    // What receivers give to what they make, until the stream's chmod.
    private const uint NewFileMode = 0x180 /* 0600 */, NewDirectoryMode = 0x1C0 /* 0700 */;

    // linux/stat.h
    private const uint S_IFMT = 0xF000, S_IFCHR = 0x2000, S_IFBLK = 0x6000;

    private void Make(SendCommand command, FileKind kind, uint mode)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        (TNode folder, int name) = Paths.FreePlace(command, path);
        Paths.Add(folder, name, path, State.New(kind, mode));
    }

    private void MakeSymlink(SendCommand command)
    {
        ReadOnlySpan<byte> target = command.Bytes(A.PathLink), path = command.Bytes(A.Path);
        if (target.Length is 0 or > SendStreamFormat.MaxPathLength)
            throw command.Error(Fault.TargetInvalid, $"{Show(command)}: a target of {target.Length} bytes, expected 1 to {SendStreamFormat.MaxPathLength}");
        (TNode folder, int name) = Paths.FreePlace(command, path);
        Paths.Add(folder, name, path, State.NewSymlink(target));
    }

    private void MakeDevice(SendCommand command)
    {
        ulong mode = command.UInt64(A.Mode), number = command.UInt64(A.Rdev);
        if ((mode & S_IFMT) is not (S_IFCHR or S_IFBLK))
            throw command.Error(Fault.DeviceInvalid, $"{Show(command)}: mode 0{Convert.ToString((long)mode, 8)} is that of no device");
        if (number > uint.MaxValue)
            throw command.Error(Fault.DeviceInvalid, $"{Show(command)}: {number} is no device number");
        (uint major, uint minor) = DeviceNumber.Split((uint)number);
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        (TNode folder, int name) = Paths.FreePlace(command, path);
        Paths.Add(folder, name, path, State.NewDevice((mode & S_IFMT) == S_IFBLK, NewFileMode, major, minor));
    }

    private void Link(SendCommand command)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path), existing = command.Bytes(A.PathLink);
        TNode node = Paths.Existing(command, existing).Node;
        if (State.KindOf(node) == FileKind.Directory)
            throw OneNameOnly();
        (TNode folder, int name) = Paths.FreePlace(command, path);
        if (IsBelow(path, existing))
            throw OneNameOnly();
        Paths.Add(folder, name, path, node);

        SendStreamException OneNameOnly() => command.Error(Fault.IsADirectory, $"{Show(command, A.PathLink)} is a directory, which has one name only");
    }

    private void Unlink(SendCommand command)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        (TNode folder, TNode node) = Paths.Existing(command, path);
        if (State.KindOf(node) == FileKind.Directory)
            throw command.Error(Fault.IsADirectory, $"{Show(command)} is a directory");
        Paths.Remove(folder, NameIn(path), node);
    }

    private void Rmdir(SendCommand command)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        (TNode folder, TNode node) = Paths.Existing(command, path);
        node = State.AsDirectory(folder, NameIn(path), node);
        if (State.KindOf(node) is not FileKind.Directory and var kind)
            throw command.Error(Fault.NotADirectory, $"{Show(command)} is {StreamPaths.Describe(kind)}, expected a directory");
        if (State.HasChildren(node))
            throw command.Error(Fault.NotEmpty, $"{Show(command)}: the directory is not empty");
        Paths.Remove(folder, NameIn(path), node);
    }

    // The rules of rename(2).
    private void Rename(SendCommand command)
    {
        ReadOnlySpan<byte> from = command.Bytes(A.Path), to = command.Bytes(A.PathTo);
        (TNode oldFolder, TNode node) = Paths.Existing(command, from);
        (TNode newFolder, int at) = Paths.Place(command, to);
        if (IsBelow(to, from))
            throw command.Error(Fault.IntoItself, $"{Show(command)}: a directory cannot be moved into itself, to {Show(command, A.PathTo)}");
        bool isDirectory = State.KindOf(node) == FileKind.Directory;
        if (State.TryFind(newFolder, to[at..], out TNode replaced))
        {
            if (EqualityComparer<TNode>.Default.Equals(replaced, node))
                return;
            FileKind replacedKind = State.KindOf(replaced);
            if (isDirectory && replacedKind != FileKind.Directory)
                throw command.Error(Fault.NotADirectory, $"{Show(command, A.PathTo)} is {StreamPaths.Describe(replacedKind)}, which no directory can replace");
            if (!isDirectory && replacedKind == FileKind.Directory)
                throw command.Error(Fault.IsADirectory, $"{Show(command, A.PathTo)} is a directory, which only a directory can replace");
            if (State.HasChildren(replaced))
                throw command.Error(Fault.NotEmpty, $"{Show(command, A.PathTo)}: the directory is not empty");
            Paths.Remove(newFolder, to[at..], replaced);
        }
        StreamPaths.CheckName(command, to, to[at..]); // before anything is taken away
        Paths.Remove(oldFolder, NameIn(from), node);
        Paths.Add(newFolder, at, to, node);
    }

    /// <summary>Whether a path, whose folder was found, leads through another; what is there is then a directory, even if that is only now known.</summary>
    private static bool IsBelow(ReadOnlySpan<byte> path, ReadOnlySpan<byte> above) =>
        path.Length > above.Length && path[above.Length] == '/' && path.StartsWith(above);

    private static ReadOnlySpan<byte> NameIn(ReadOnlySpan<byte> path) => path[(path.LastIndexOf((byte)'/') + 1)..];
}
