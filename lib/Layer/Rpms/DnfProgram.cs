using System.Security.Cryptography;
using System.Text;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer.Rpms;

/// <summary>
/// A dnf 4 with all that it needs, below some root: this machine's, or a layer's. Of that root the container sees /usr, and of /etc what programs are found by; so no
/// configuration of dnf, rpm or of repositories can be among it.
/// </summary>
internal sealed class DnfProgram
{
    private static readonly string[] Programs = ["usr/bin/dnf-3", "usr/bin/dnf"];
    private static readonly string[] LibraryFolders = ["usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib"];
    private static readonly string[] Libraries = ["libdnf.so.", "librpm.so.", "librpmio.so.", "libsolv.so.", "libsolvext.so."];
    private static readonly string[] FromEtc = ["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"];

    private readonly string _root;
    private readonly string _where;

    private DnfProgram(string root, string where, string interpreter) => (_root, _where, Interpreter) = (root, where, interpreter);

    /// <summary>The Python that dnf runs in: an absolute path in the container.</summary>
    public string Interpreter { get; }

    /// <param name="root">The folder that is its "/".</param>
    /// <param name="where">What messages call it.</param>
    /// <exception cref="LayerException">There is no dnf, or one that cannot be driven.</exception>
    public static DnfProgram Find(string root, string where)
    {
        using SafeFileHandle folder = Directories.Open(root);
        if (Files.TryStatus(folder, "usr"u8) is not { IsDirectory: true })
            throw new LayerException($"{where}: has no folder /usr, so no dnf either");
        foreach (string program in Programs)
        {
            if (Directories.TryOpenInRoot(folder, Encoding.ASCII.GetBytes(program), OpenFlags.ReadOnly) is not { } file)
                continue;
            using (file)
            {
                byte[] start = new byte[256];
                if (InterpreterOf(Encoding.Latin1.GetString(start, 0, Files.Read(file, start)).Split('\n')[0]) is not { } interpreter)
                    throw new LayerException($"{where}: /{program} is no Python program: dnf 4 is needed (Fedora: package python3-dnf)");
                return new DnfProgram(root, where, interpreter);
            }
        }
        throw new LayerException($"{where}: dnf is not installed (Debian, Ubuntu: packages dnf and python3-dnf; Fedora, RHEL: package dnf; or name a layer that has it: \"appliance\")");
    }

    /// <summary>The Python that a program's first line names; null when it names none, as that of dnf 5.</summary>
    private static string? InterpreterOf(string line)
    {
        string[] words = line.StartsWith("#!", StringComparison.Ordinal) ? line[2..].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        string? interpreter = words is ["/usr/bin/env", var name, ..] ? $"/usr/bin/{name}" : words.FirstOrDefault();
        return interpreter is not null && interpreter.StartsWith('/') && Path.GetFileName(interpreter).Contains("python", StringComparison.Ordinal) ? interpreter : null;
    }

    /// <summary>What the container sees of the root, read-only.</summary>
    public IEnumerable<ContainerBind> Binds
    {
        get
        {
            yield return new ContainerBind(Path.Combine(_root, "usr"), "/usr", ReadOnly: true);
            using SafeFileHandle folder = Directories.Open(_root);
            if (Files.TryStatus(folder, "etc"u8) is not { IsDirectory: true })
                yield break;
            using SafeFileHandle etc = Directories.Open(folder, "etc"u8);
            foreach (string name in FromEtc)
            {
                // Never through a link of the image, which would lead to something of the machine.
                if (Files.TryStatus(etc, Encoding.ASCII.GetBytes(name)) is { IsDirectory: true } or { IsRegular: true })
                    yield return new ContainerBind(Path.Combine(_root, "etc", name), $"/etc/{name}", ReadOnly: true);
            }
        }
    }

    /// <summary>
    /// A digest of the libraries that decide what is installed and how the database is written. Machines with the same packages have the same.
    /// </summary>
    public string Identity()
    {
        using SafeFileHandle root = Directories.Open(_root);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int count = 0;
        foreach (string place in LibraryFolders)
        {
            if (Directories.TryOpenInRoot(root, Encoding.ASCII.GetBytes(place), OpenFlags.ReadOnly | OpenFlags.Directory) is not { } folder)
                continue;
            using (folder)
                foreach (string name in Directories.List(folder).Select(entry => PathText.FromBytes(entry.Name)).Order(StringComparer.Ordinal))
                    if (Libraries.Any(library => name.StartsWith(library, StringComparison.Ordinal))
                        && Directories.TryOpenInRoot(root, PathText.ToBytes($"{place}/{name}"), OpenFlags.ReadOnly) is { } file)
                    {
                        using FdStream stream = new(file, name);
                        hash.AppendData(Encoding.UTF8.GetBytes(name));
                        hash.AppendData(SHA256.HashData(stream));
                        count++;
                    }
        }
        return count > 0 ? Convert.ToHexStringLower(hash.GetHashAndReset()) : throw new LayerException($"{_where}: has dnf, but not its libraries (libdnf, librpm, libsolv)");
    }
}
