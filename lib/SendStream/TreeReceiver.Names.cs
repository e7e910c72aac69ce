using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

internal sealed partial class TreeReceiver
{
    // What receivers give to what they make, until the stream's chmod.
    private const uint NewFileMode = 0x180 /* 0600 */, NewDirectoryMode = 0x1C0 /* 0700 */;

    // linux/stat.h
    private const uint S_IFMT = 0xF000, S_IFCHR = 0x2000, S_IFBLK = 0x6000;

    private void Make(SendCommand command, Inode inode) => _paths.Add(command, command.Bytes(A.Path), inode);

    private static Inode NewSymlink(SendCommand command)
    {
        ReadOnlySpan<byte> target = command.Bytes(A.PathLink);
        return target.Length is > 0 and <= SendStreamFormat.MaxPathLength
            ? Inode.Symlink(target.ToArray())
            : throw command.Error(Fault.TargetInvalid, $"{Show(command)}: a target of {target.Length} bytes, expected 1 to {SendStreamFormat.MaxPathLength}");
    }

    private static Inode NewDevice(SendCommand command)
    {
        ulong mode = command.UInt64(A.Mode), number = command.UInt64(A.Rdev);
        if ((mode & S_IFMT) is not (S_IFCHR or S_IFBLK))
            throw command.Error(Fault.DeviceInvalid, $"{Show(command)}: mode 0{Convert.ToString((long)mode, 8)} is that of no device");
        if (number > uint.MaxValue)
            throw command.Error(Fault.DeviceInvalid, $"{Show(command)}: {number} is no device number");
        (uint major, uint minor) = DeviceNumber.Split((uint)number);
        return Inode.Device((mode & S_IFMT) == S_IFBLK, NewFileMode, major, minor);
    }

    private void Link(SendCommand command)
    {
        Inode inode = _paths.Existing(command, command.Bytes(A.PathLink)).Inode;
        if (inode.IsDirectory)
            throw command.Error(Fault.IsADirectory, $"{Show(command, A.PathLink)} is a directory, which has one name only");
        Make(command, inode);
    }

    private void Unlink(SendCommand command)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        (Inode folder, Inode inode) = _paths.Existing(command, path);
        if (inode.IsDirectory)
            throw command.Error(Fault.IsADirectory, $"{Show(command)} is a directory");
        _paths.Remove(folder, NameIn(path), inode);
    }

    private void Rmdir(SendCommand command)
    {
        ReadOnlySpan<byte> path = command.Bytes(A.Path);
        (Inode folder, Inode inode) = _paths.Existing(command, path);
        inode = _placeholders?.AsDirectory(folder, NameIn(path), inode) ?? inode;
        if (!inode.IsDirectory)
            throw command.Error(Fault.NotADirectory, $"{Show(command)} is {StreamPaths.Describe(inode)}, expected a directory");
        if (inode.ChildCount > 0)
            throw command.Error(Fault.NotEmpty, $"{Show(command)}: the directory is not empty");
        _paths.Remove(folder, NameIn(path), inode);
    }

    // The rules of rename(2).
    private void Rename(SendCommand command)
    {
        ReadOnlySpan<byte> from = command.Bytes(A.Path), to = command.Bytes(A.PathTo);
        (Inode oldFolder, Inode inode) = _paths.Existing(command, from);
        (Inode newFolder, int at) = _paths.Place(command, to);
        if (inode.IsDirectory && to.Length > from.Length && to.StartsWith(from) && to[from.Length] == '/')
            throw command.Error(Fault.IntoItself, $"{Show(command)}: a directory cannot be moved into itself, to {Show(command, A.PathTo)}");
        if (newFolder.Child(to[at..]) is { } replaced)
        {
            if (ReferenceEquals(replaced, inode))
                return;
            if (inode.IsDirectory && !replaced.IsDirectory)
                throw command.Error(Fault.NotADirectory, $"{Show(command, A.PathTo)} is {StreamPaths.Describe(replaced)}, which no directory can replace");
            if (!inode.IsDirectory && replaced.IsDirectory)
                throw command.Error(Fault.IsADirectory, $"{Show(command, A.PathTo)} is a directory, which only a directory can replace");
            if (replaced.ChildCount > 0)
                throw command.Error(Fault.NotEmpty, $"{Show(command, A.PathTo)}: the directory is not empty");
            _paths.Remove(newFolder, to[at..], replaced);
        }
        FileName name = StreamPaths.NameOf(command, to, to[at..]); // before anything is taken away
        _paths.Remove(oldFolder, NameIn(from), inode);
        _paths.Add(newFolder, name, to, inode);
    }

    private static ReadOnlySpan<byte> NameIn(ReadOnlySpan<byte> path) => path[(path.LastIndexOf((byte)'/') + 1)..];
}
