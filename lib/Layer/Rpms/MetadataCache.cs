using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer.Rpms;

/// <summary>
/// What dnf makes of the metadata of repositories, kept in the store under the snapshot's id, which says all that it depends on but dnf itself. For 60,000 packages
/// it takes half a minute to make. Each run has a copy of its own. dnf would believe what is damaged, or fail: it is compared with digests, and made anew.
/// </summary>
internal sealed class MetadataCache
{
    private const string Repodata = "repodata", DigestsName = "digests";
    private static readonly string[] Kept = [".solv", ".solvx"];

    private readonly string? _folder;

    /// <param name="source">The snapshot; without one nothing is kept.</param>
    /// <param name="dnf">What identifies the dnf.</param>
    public MetadataCache(RpmSource source, string dnf)
    {
        if (source.Snapshot is not { } snapshot)
            return;
        byte[] rest = SHA256.HashData(Encoding.UTF8.GetBytes($"{dnf} {string.Join(' ', source.Repos.Select(repo => repo.Name))}"));
        _folder = Path.Combine(source.StorePath!, "cache", "dnf", $"{snapshot.Id}-{Convert.ToHexStringLower(rest.AsSpan(0, 4))}");
    }

    /// <summary>Fills an empty folder; false when there was nothing to fill it with.</summary>
    public bool Load(string folder)
    {
        if (_folder is null || !Files.Exists(_folder))
            return false;
        try
        {
            Copy(_folder, folder);
            string digests = Path.Combine(_folder, DigestsName);
            if (Files.Exists(digests) && WholeFile.Read(digests).AsSpan().SequenceEqual(DigestsOf(folder)))
                return true;
            Directories.RemoveAll(_folder);
        }
        catch (PosixException)
        {
            // It can be neither read nor removed, or somebody clears it away at this moment.
        }
        Directories.RemoveAll(folder);
        Directories.MakeAll(folder);
        return false;
    }

    /// <summary>Keeps what dnf has made in a folder. Where the store cannot be written nothing is kept.</summary>
    public void Save(string folder)
    {
        if (_folder is null)
            return;
        string fresh = $"{_folder}.{Guid.NewGuid():N}";
        try
        {
            Directories.MakeAll(fresh);
            Copy(folder, fresh);
            WholeFile.Write(Path.Combine(fresh, DigestsName), DigestsOf(fresh));
            Files.Rename(fresh, _folder, replace: false);
        }
        catch (PosixException)
        {
            if (Files.Exists(fresh))
                Directories.RemoveAll(fresh);
        }
    }

    private static byte[] DigestsOf(string folder)
    {
        StringBuilder digests = new();
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            using FdStream file = new(Files.Open(path, OpenFlags.ReadOnly), path, canWrite: false);
            digests.Append(Convert.ToHexStringLower(SHA256.HashData(file))).Append("  ").Append(Path.GetRelativePath(folder, path)).Append('\n');
        }
        return Encoding.UTF8.GetBytes(digests.ToString());
    }

    // DIGITS.solv, NAME.solvx and NAME-DIGITS/repodata/*; no packages.
    private static void Copy(string from, string to)
    {
        using SafeFileHandle source = Directories.Open(from);
        foreach ((byte[] bytes, _) in Directories.List(source))
        {
            string name = PathText.FromBytes(bytes), path = Path.Combine(from, name);
            if (Files.Status(source, bytes).IsDirectory)
            {
                if (Files.Exists(Path.Combine(path, Repodata)))
                {
                    Directories.MakeAll(Path.Combine(to, name, Repodata));
                    CopyFiles(Path.Combine(path, Repodata), Path.Combine(to, name, Repodata));
                }
            }
            else if (Kept.Contains(Path.GetExtension(name)))
                CopyFile(path, Path.Combine(to, name));
        }
    }

    private static void CopyFiles(string from, string to)
    {
        using SafeFileHandle source = Directories.Open(from);
        foreach ((byte[] bytes, _) in Directories.List(source))
            if (Files.Status(source, bytes).IsRegular)
                CopyFile(Path.Combine(from, PathText.FromBytes(bytes)), Path.Combine(to, PathText.FromBytes(bytes)));
    }

    private static void CopyFile(string from, string to)
    {
        using SafeFileHandle source = Files.Open(from, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        using SafeFileHandle target = Files.Open(to, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, 0x1A4 /* 0644 */);
        FileStatus status = Files.Status(source);
        if (!Files.TryClone(source, target))
            Files.CopySparse(source, target, status.Size);
        // By the time dnf knows how old metadata is.
        Files.SetTimes(target, status.ModificationSeconds, status.ModificationNanoseconds);
    }
}
