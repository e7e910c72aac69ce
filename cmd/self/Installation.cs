using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd;

/// <summary>
/// The links through which tools are called by their names. They are relative, so that a staged tree can be moved as a whole;
/// only links to a file named layerbox are replaced, everything else is somebody's.
/// </summary>
internal static class Installation
{
    public static int Run(string folder, Streams io)
    {
        string executable = Environment.ProcessPath ?? throw new IOException("cannot tell where this executable is: /proc is not mounted");
        string target = Path.GetRelativePath(RealPath(folder), executable);
        byte[] wanted = PathText.ToBytes(target);
        using SafeFileHandle directory = Directories.Open(folder);
        int status = ExitStatus.Success;
        foreach (string tool in ToolTable.Tools.Keys)
        {
            string? done = Link(directory, PathText.ToBytes(tool), wanted);
            if (done is null)
            {
                io.Err.WriteLine(PathText.Printable($"{Dispatcher.Self}: {folder}/{tool}: exists and is not a link to layerbox; left alone"));
                status = ExitStatus.Trouble;
            }
            else
                io.WriteLine(PathText.Printable($"{done} {folder}/{tool} -> {target}"));
        }
        return status;
    }

    private static string? Link(SafeFileHandle directory, byte[] name, byte[] target)
    {
        switch (Existing(directory, name))
        {
            case null:
                Files.MakeSymlink(target, directory, name);
                return "made";
            case var old when old.AsSpan().SequenceEqual(target):
                return "kept";
            case var old when Path.GetFileName(PathText.FromBytes(old)) == Dispatcher.Self:
                byte[] temporary = [.. name, .. ".layerbox-new"u8];
                Files.MakeSymlink(target, directory, temporary);
                Files.Rename(directory, temporary, directory, name, replace: true);
                return "replaced";
            default:
                return null;
        }
    }

    // What a link points to, nothing for what is not a link, null when the name is free.
    private static byte[]? Existing(SafeFileHandle directory, byte[] name)
    {
        try
        {
            return Files.ReadLink(directory, name);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.EINVAL)
        {
            return e.Errno == Errno.ENOENT ? null : [];
        }
    }

    private static string RealPath(string folder)
    {
        using SafeFileHandle directory = Directories.Open(folder);
        byte[] link = System.Text.Encoding.ASCII.GetBytes($"/proc/self/fd/{directory.DangerousGetHandle()}");
        return PathText.FromBytes(Files.ReadLink(Directories.Current, link));
    }
}
