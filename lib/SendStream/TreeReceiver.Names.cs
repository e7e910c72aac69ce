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

    private void Make(SendCommand command, Inode inode)
    {
        (Inode folder, FileName name) = _paths.Free(command, command.Bytes(A.Path));
        folder.Add(name, inode);
    }

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
        (Inode folder, FileName name, Inode inode) = _paths.Existing(command, command.Bytes(A.Path));
        if (inode.IsDirectory)
            throw command.Error(Fault.IsADirectory, $"{Show(command)} is a directory");
        folder.Remove(name);
        _paths.Forget();
    }

    private void Rmdir(SendCommand command)
    {
        (Inode folder, FileName name, Inode inode) = _paths.Existing(command, command.Bytes(A.Path));
        if (!inode.IsDirectory)
            throw command.Error(Fault.NotADirectory, $"{Show(command)} is {StreamPaths.Describe(inode)}, expected a directory");
        if (inode.ChildCount > 0)
            throw command.Error(Fault.NotEmpty, $"{Show(command)}: the directory is not empty");
        folder.Remove(name);
        _paths.Forget();
    }

    // The rules of rename(2).
    private void Rename(SendCommand command)
    {
        ReadOnlySpan<byte> from = command.Bytes(A.Path), to = command.Bytes(A.PathTo);
        (Inode oldFolder, FileName oldName, Inode inode) = _paths.Existing(command, from);
        (Inode newFolder, FileName newName) = _paths.Place(command, to);
        if (inode.IsDirectory && to.Length > from.Length && to.StartsWith(from) && to[from.Length] == '/')
            throw command.Error(Fault.IntoItself, $"{Show(command)}: a directory cannot be moved into itself, to {Show(command, A.PathTo)}");
        if (newFolder.Child(newName) is { } replaced)
        {
            if (ReferenceEquals(replaced, inode))
                return;
            if (inode.IsDirectory && !replaced.IsDirectory)
                throw command.Error(Fault.NotADirectory, $"{Show(command, A.PathTo)} is {StreamPaths.Describe(replaced)}, which no directory can replace");
            if (!inode.IsDirectory && replaced.IsDirectory)
                throw command.Error(Fault.IsADirectory, $"{Show(command, A.PathTo)} is a directory, which only a directory can replace");
            if (replaced.ChildCount > 0)
                throw command.Error(Fault.NotEmpty, $"{Show(command, A.PathTo)}: the directory is not empty");
            newFolder.Remove(newName);
        }
        oldFolder.Remove(oldName);
        newFolder.Add(newName, inode);
        _paths.Forget();
    }
}
