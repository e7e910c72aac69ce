using System.Globalization;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>Who the command runs as, in numbers, which is all that the kernel knows.</summary>
/// <param name="Uid">User.</param>
/// <param name="Gid">Main group.</param>
/// <param name="Groups">Supplementary groups; not <paramref name="Gid"/>.</param>
/// <param name="Home">What HOME is in the default environment.</param>
public sealed record ContainerUser(uint Uid, uint Gid, IReadOnlyList<uint> Groups, string Home)
{
    public static ContainerUser Root { get; } = new(0, 0, [], "/root") { Name = "root" };

    /// <summary>What the image calls it; null: it does not know the number.</summary>
    public string? Name { get; init; }

    /// <summary>The shell that the image has for it; null: it says none.</summary>
    public string? Shell { get; init; }

    /// <summary>
    /// Looks up "USER" or "USER:GROUP", each a name or a number, in the image's own etc/passwd and etc/group (passwd(5), group(5)). A
    /// number that they do not list has group 0, no other groups and the home "/"; root is known without them.
    /// </summary>
    /// <param name="root">The root of the image.</param>
    /// <param name="userAndGroup">Names or numbers, with a colon between them.</param>
    /// <param name="shown">What messages call the image; null: its root.</param>
    /// <exception cref="ContainerException">The image has no such user or group.</exception>
    public static ContainerUser Find(string root, string userAndGroup, string? shown = null)
    {
        shown ??= root;
        using SafeFileHandle directory = Directories.Open(root);
        string[] parts = userAndGroup.Split(':', 2);
        (string user, string? group) = (parts[0], parts.Length == 2 ? parts[1] : null);
        List<string[]> passwd = Lines(shown, directory, "etc/passwd", fields: 7), groups = Lines(shown, directory, "etc/group", fields: 4);
        ContainerUser found = FindUser(shown, user, passwd);
        string? name = passwd.FirstOrDefault(f => Number(f[2]) == found.Uid)?[0];
        if (group is not null)
        {
            uint gid = groups.Where(f => f[0] == group).Select(f => Number(f[2])).FirstOrDefault(number => number is not null) ?? Number(group)
                ?? throw new ContainerException($"{shown}: etc/group: no group '{group}'");
            found = found with { Gid = gid };
        }
        return found with
        {
            Groups = [.. groups.Where(f => name is not null && f[3].Split(',').Contains(name)).Select(f => Number(f[2])).OfType<uint>()
                .Where(gid => gid != found.Gid).Distinct().Order()],
        };
    }

    private static ContainerUser FindUser(string shown, string user, List<string[]> passwd)
    {
        uint? wanted = Number(user);
        foreach (string[] fields in passwd)
        {
            if ((fields[0] == user || (wanted is not null && Number(fields[2]) == wanted)) && Number(fields[2]) is { } uid && Number(fields[3]) is { } gid)
                return new ContainerUser(uid, gid, [], fields[5].Length == 0 ? "/" : fields[5]) { Name = fields[0], Shell = fields[6].Length == 0 ? null : fields[6] };
        }
        if (user == "root" || wanted == 0)
            return Root;
        return wanted is { } number
            ? new ContainerUser(number, 0, [], "/")
            : throw new ContainerException($"{shown}: etc/passwd: no user '{user}'");
    }

    private static uint? Number(string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) && number != uint.MaxValue ? number : null;

    private static List<string[]> Lines(string shown, SafeFileHandle root, string path, int fields)
    {
        const int SizeMax = 16 << 20;
        try
        {
            // Not waiting: the file may be a fifo that nobody writes to.
            using SafeFileHandle file = Directories.OpenInRoot(root, Encoding.UTF8.GetBytes(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking);
            FileStatus status = Files.Status(file);
            if (!status.IsRegular || status.Size > SizeMax)
                throw new ContainerException($"{shown}: {path}: not a regular file of at most {SizeMax} bytes");
            byte[] bytes = new byte[status.Size];
            int length = 0;
            while (length < bytes.Length && Files.ReadAt(file, bytes.AsSpan(length), length, path) is var got and > 0)
                length += got;
            return [.. PathText.FromBytes(bytes.AsSpan(0, length)).Split('\n').Select(line => line.Split(':')).Where(f => f.Length >= fields && f[0].Length > 0)];
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return [];
        }
    }
}
