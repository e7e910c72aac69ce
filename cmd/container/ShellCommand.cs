using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>The shell that somebody gets who wants to look around in an image, and a prompt that says where that is.</summary>
internal static class ShellCommand
{
    private const string LastResort = "/bin/sh", Unnamed = "layer", HandleSuffix = ".layer";

    /// <summary>The user's own in the image, else bash, else sh: the first that is there and can be executed.</summary>
    public static string Of(string root, ContainerUser user)
    {
        using SafeFileHandle directory = Directories.Open(root);
        foreach (string? shell in (string?[])[user.Shell, "/bin/bash", LastResort])
        {
            // An image may hold nothing but usr, and the links into it are only made inside.
            foreach (string path in shell is null || RefusesLogin(shell) ? [] : (string[])[shell, $"/usr{shell}"])
            {
                if (IsExecutable(directory, path))
                    return path;
            }
        }
        return LastResort;
    }

    /// <summary>What a login would set, and the prompt, as "NAME=value".</summary>
    /// <param name="handle">What the caller named: a handle file, a folder or "-".</param>
    /// <param name="shell">What runs.</param>
    /// <param name="user">Who runs it.</param>
    public static IReadOnlyList<string> Environment(string handle, string shell, ContainerUser user)
    {
        string name = NameOf(handle), who = user.Name ?? PathText.Printable($"{user.Uid}");
        return
        [
            $"SHELL={shell}", $"USER={who}", $"LOGNAME={who}",
            // As sh, dash, ash and bash read it. Debian's and Ubuntu's bashrc set a prompt of their own, with this name in it.
            $"PS1=[{name}] {Harmless(who)}:$PWD{(user.Uid == 0 ? '#' : '$')} ", $"debian_chroot={name}",
        ];
    }

    private static string NameOf(string handle)
    {
        string name = handle == "-" ? "" : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(handle)));
        if (name.EndsWith(HandleSuffix, StringComparison.Ordinal))
            name = name[..^HandleSuffix.Length];
        return name.Length == 0 ? Unnamed : Harmless(name);
    }

    // Shells expand what stands in a prompt, commands included.
    private static string Harmless(string text) => string.Concat(text.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '+' or '@' ? c : '?'));

    private static bool RefusesLogin(string shell) => Path.GetFileName(shell) is "nologin" or "false";

    private static bool IsExecutable(SafeFileHandle root, string path)
    {
        const uint AnyExecute = 0x49; // 0111
        try
        {
            using SafeFileHandle file = Directories.OpenInRoot(root, PathText.ToBytes(path), OpenFlags.PathOnly);
            FileStatus status = Files.Status(file);
            return status.IsRegular && (status.Mode & AnyExecute) != 0;
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP or Errno.EACCES or Errno.ENAMETOOLONG)
        {
            return false;
        }
    }
}
