using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>A repository that was written as a plain directory.</summary>
/// <param name="Name">What it is called in the snapshot.</param>
/// <param name="Path">Where it is.</param>
/// <param name="Files">How many files it has.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Missing">Packages that the snapshot lacks, and so it does.</param>
/// <param name="IsRewritten">Whether its metadata is not what its maker signed: <see cref="RepoFiles.RewrittenFor"/>.</param>
public sealed record ExportedRepo(string Name, string Path, long Files, long Bytes, long Missing, bool IsRewritten);

/// <summary>Writes a snapshot as plain repositories, which any server and dnf itself can use: the same files as the original, each compared with its digest.</summary>
public sealed class SnapshotExport
{
    private const uint ReadForAll = 0x1A4; // 0644

    private readonly SnapshotStore _store;
    private readonly bool _hardLinks;
    private readonly Action<long>? _progress;
    private readonly CancellationToken _cancellation;
    private long _written;

    private SnapshotExport(SnapshotStore store, bool hardLinks, Action<long>? progress, CancellationToken cancellation) =>
        (_store, _hardLinks, _progress, _cancellation) = (store, hardLinks, progress, cancellation);

    /// <summary>Writes repositories of a snapshot into a directory that is not there, or empty. It appears whole or not at all.</summary>
    /// <param name="store">Where the objects are.</param>
    /// <param name="snapshot">Which snapshot.</param>
    /// <param name="only">The repository that the directory is to be; null: all, each in a folder of its name.</param>
    /// <param name="into">Where. When all that would be written is there already, nothing is done.</param>
    /// <param name="hardLinks">Links to the store's own files, where that can be; else copies that share their data where the filesystem can do that.</param>
    /// <param name="progress">Told the bytes that were written.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <returns>What was written, and whether it was.</returns>
    /// <exception cref="InvalidDataException">An object is missing or damaged.</exception>
    /// <exception cref="IOException">Something else is in the directory; there is no such repository.</exception>
    public static (IReadOnlyList<ExportedRepo> Repos, bool IsNew) Write(
        SnapshotStore store, Snapshot snapshot, string? only, string into, bool hardLinks = false, Action<long>? progress = null, CancellationToken cancellation = default)
    {
        using SnapshotHold served = store.Serve(snapshot.Id);
        List<(SnapshotRepo Repo, string Folder)> repos = [.. snapshot.Repos.Where(repo => only is null || repo.Name == only).Select(repo => (repo, only is null ? repo.Name + "/" : ""))];
        if (repos.Count == 0)
            throw new IOException($"the snapshot has no repository '{only}'");
        SnapshotExport export = new(store, hardLinks, progress, cancellation);
        SortedDictionary<string, RepoFile> files = new(StringComparer.Ordinal);
        List<RepoFiles> opened = [];
        List<ExportedRepo> exported = [];
        try
        {
            foreach ((SnapshotRepo repo, string folder) in repos)
            {
                RepoFiles all = RepoFiles.Read(store, repo);
                opened.Add(all);
                int before = files.Count;
                long bytes = 0;
                foreach (RepoFile file in all.All.Where(file => file.Missing is null))
                    if (files.TryAdd(folder + Uri.UnescapeDataString(file.Path), file))
                        bytes += file.Size ?? store.SizeOf(file.Checksum.Digits) ?? 0;
                exported.Add(new ExportedRepo(repo.Name, only is null ? Path.Join(into, repo.Name) : into, files.Count - before, bytes, all.All.Count(file => file.Missing is not null),
                    RepoFiles.RewrittenFor(store, snapshot, repo).Count > 0));
            }
            return (exported, export.Put(files, into));
        }
        finally
        {
            opened.ForEach(all => all.Dispose());
        }
    }

    private bool Put(SortedDictionary<string, RepoFile> files, string into)
    {
        bool isThere = Files.Exists(into);
        if (isThere && List(into, "").ToList() is { Count: > 0 } there)
            return IsSame(files, into, there) ? false : throw new IOException($"{into}: is not empty, and holds something else than what would be written");
        if (isThere && IsMountPoint(into))
            throw new IOException($"{into}: is a mount point, which no other directory can take the place of: name a folder in it");
        using OutputDirectory output = OutputDirectory.Create(into, replace: isThere);
        if (isThere)
            TakeAfter(Files.Status(into, followLinks: true), output.TemporaryPath);
        foreach (string folder in files.Keys.Select(path => Path.GetDirectoryName(path)!).Distinct())
            Directories.MakeAll(Path.Join(output.TemporaryPath, folder));
        Concurrently.ForEach(files, file => Put(file.Value, Path.Join(output.TemporaryPath, file.Key)), _cancellation);
        output.Commit();
        return true;
    }

    private static bool IsMountPoint(string path)
    {
        FileStatus inside = Files.Status(path, followLinks: true), above = Files.Status(Path.Join(path, ".."));
        return (inside.DevMajor, inside.DevMinor) != (above.DevMajor, above.DevMinor);
    }

    /// <summary>An empty directory was made for somebody: what takes its place is for the same ones.</summary>
    private static void TakeAfter(FileStatus before, string path)
    {
        using SafeFileHandle directory = Directories.Open(path);
        FileStatus now = Files.Status(directory);
        if ((now.Uid, now.Gid) != (before.Uid, before.Gid))
            Files.SetOwner(directory, before.Uid, before.Gid, path);
        Files.SetMode(directory, before.Mode, path);
    }

    private void Put(RepoFile file, string path)
    {
        string digest = DigestOf(file);
        string? from = file.Made is null ? _store.Bring(digest) : null;
        if (from is null || !_hardLinks || !TryLink(from, path))
            Copy(file, from, path);
        using SafeFileHandle written = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        string found = ObjectDigests.Of(written, path, [RpmDigestAlgorithm.Sha256])[0];
        if (found != digest)
            throw new InvalidDataException($"{from}: the object is damaged: its sha256 is {found}");
        _progress?.Invoke(Interlocked.Add(ref _written, Files.Status(written).Size));
    }

    private static void Copy(RepoFile file, string? from, string path)
    {
        using SafeFileHandle? opened = from is null ? null : Files.Open(from, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        using SafeFileHandle to = Files.Open(path, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, ReadForAll);
        SafeFileHandle source = opened ?? file.Made!;
        if (!Files.TryClone(source, to))
            Files.CopyRange(source, 0, to, 0, Files.Status(source).Size);
    }

    private static bool TryLink(string from, string to)
    {
        try
        {
            Files.MakeHardLink(Directories.Current, PathText.ToBytes(from), Directories.Current, PathText.ToBytes(to));
            return true;
        }
        catch (PosixException e) when (e.Errno is Errno.EXDEV or Errno.EPERM or Errno.EMLINK or Errno.EOPNOTSUPP)
        {
            return false;
        }
    }

    private string DigestOf(RepoFile file) =>
        file.Checksum.Algorithm == RpmDigestAlgorithm.Sha256 ? file.Checksum.Digits
        : _store.Have(file.Checksum, file.Size) ?? throw new InvalidDataException($"{file.Path}: no object is {file.Checksum} as far as is known: 'rebuild' finds out");

    private bool IsSame(SortedDictionary<string, RepoFile> files, string into, List<(string Path, bool IsFile)> there)
    {
        if (there.Count != files.Count || there.Any(found => !found.IsFile || !files.ContainsKey(found.Path)))
            return false;
        int different = 0;
        Concurrently.ForEach(files, file =>
        {
            if (Volatile.Read(ref different) > 0)
                return;
            string path = Path.Join(into, file.Key);
            using SafeFileHandle opened = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
            if (ObjectDigests.Of(opened, path, [RpmDigestAlgorithm.Sha256])[0] != DigestOf(file.Value))
                Volatile.Write(ref different, 1);
        }, _cancellation);
        return different == 0;
    }

    /// <summary>What is in a directory besides directories that are not empty, by its path in there.</summary>
    private static IEnumerable<(string Path, bool IsFile)> List(string folder, string prefix)
    {
        using SafeFileHandle handle = Directories.Open(folder);
        foreach ((byte[] name, byte _) in Directories.List(handle))
        {
            string text = PathText.FromBytes(name);
            FileStatus status = Files.Status(handle, name);
            if (!status.IsDirectory)
                yield return (prefix + text, status.IsRegular);
            else if (List(Path.Join(folder, text), $"{prefix}{text}/").ToList() is { Count: > 0 } inside)
                foreach ((string Path, bool IsFile) entry in inside)
                    yield return entry;
            else
                yield return (prefix + text, false);
        }
    }
}
