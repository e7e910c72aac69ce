using Layerbox.Posix;
using Layerbox.Rpm;
using Layerbox.Sqlite;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Which packages each primary.xml of a store lists, to be had faster than from the XML. It is never the truth: a store without it, or with one that is damaged,
/// old, locked or not readable, answers the same from its objects. Whoever writes to the store makes a bad one anew; readers change nothing.
/// </summary>
internal sealed class StoreIndex(string path, bool isWritable) : IDisposable
{
    // Of a reader's patience. Who comes once reads the metadata rather than wait; a server would have to keep it for all its life.
    private const int ServersTries = 10;

    private readonly Lock _lock = new();
    private IndexFile? _file;
    private readonly Dictionary<string, List<PrimaryPackage>> _noted = [];
    private bool _isGivenUp;

    /// <summary>The packages of a primary.xml, by its object; null when the index does not say.</summary>
    public List<PrimaryPackage>? Find(string primary) => Ask(file => file.Find(primary));

    /// <summary>Where the packages of a primary.xml are, by its object; null when the index does not say.</summary>
    /// <param name="primary">The object.</param>
    /// <param name="isPatient">Whether it is worth waiting when somebody writes to it.</param>
    public PackagePaths? Paths(string primary, bool isPatient = false) => Ask(file => file.Paths(primary), isPatient ? ServersTries : 1);

    /// <summary>The package at a path, if there is one; null when the index does not say.</summary>
    /// <param name="list">What <see cref="Paths"/> gave.</param>
    /// <param name="path">The path, with or without percent signs.</param>
    /// <param name="rows">What the list has for that path.</param>
    public PrimaryPackage[]? PackageAt(PackagePaths list, string path, IReadOnlyList<long> rows) =>
        Ask(file => file.PackageAt(list, path, rows) is { } package ? new[] { package } : [], ServersTries);

    /// <summary>The same at once, for who must not wait: it takes some ten microseconds.</summary>
    /// <param name="list">What <see cref="Paths"/> gave.</param>
    /// <param name="path">The path, with or without percent signs.</param>
    /// <param name="rows">What the list has for that path.</param>
    /// <param name="package">The package; null when there is none.</param>
    /// <returns>False: whoever can wait is to ask <see cref="PackageAt"/>.</returns>
    public bool TryPackageAt(PackagePaths list, string path, IReadOnlyList<long> rows, out PrimaryPackage? package)
    {
        package = null;
        if (!_lock.TryEnter())
            return false;
        try
        {
            if (_isGivenUp || _file is null)
                return false;
            _file.BePatient(false);
            try
            {
                package = _file.PackageAt(list, path, rows);
                return true;
            }
            catch (Exception e) when (e is SqliteException or IndexDamageException)
            {
                return false;
            }
            finally
            {
                _file.BePatient(true);
            }
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Looks through the packages of several lists.</summary>
    /// <param name="primaries">The lists, by their objects.</param>
    /// <param name="isWanted">What is looked for.</param>
    /// <returns>For each list that is known here what was found in it, in its order; null when the index is of no use.</returns>
    public Dictionary<string, List<PrimaryPackage>>? Search(IReadOnlyCollection<string> primaries, Func<PrimaryPackage, bool> isWanted) => Ask(file =>
    {
        HashSet<long> rows = [];
        Dictionary<long, PrimaryPackage> found = file.Search(isWanted, rows);
        Dictionary<string, List<PrimaryPackage>> lists = [];
        foreach (string primary in primaries)
        {
            if (file.Ids(primary) is not { } ids)
                continue;
            // A row that got lost might have been one that is looked for.
            if (!ids.All(rows.Contains))
                throw new IndexDamageException("a package is missing");
            lists[primary] = [.. ids.Where(found.ContainsKey).Select(id => found[id])];
        }
        return lists;
    });

    /// <summary>Goes through the packages of several lists, each package once.</summary>
    /// <param name="primaries">The lists, by their objects, in the order in which they are looked at.</param>
    /// <param name="without">Lists whose packages are left out.</param>
    /// <param name="take">Is given each package; some perhaps twice, when the index turns out to be of no use.</param>
    /// <returns>The lists that are not known here; null when the index is of no use.</returns>
    public List<string>? Each(IReadOnlyList<string> primaries, IReadOnlyCollection<string> without, Action<PrimaryPackage> take) => Ask(file => file.Each(primaries, without, take));

    /// <summary>Adds a list, if the store is open for writing. What reading the packages throws is thrown, and nothing added.</summary>
    /// <returns>Whether it is there now.</returns>
    public bool Add(string primary, IEnumerable<PrimaryPackage> packages) => isWritable && Ask(file =>
    {
        file.Add(primary, packages);
        return file;
    }) is not null;

    /// <summary>Remembers a list that may come to be in a snapshot of this store.</summary>
    public void Note(string primary, List<PrimaryPackage> packages)
    {
        if (isWritable)
            lock (_lock)
                _noted[primary] = packages;
    }

    /// <summary>Adds the lists of a snapshot that were noted.</summary>
    public void AddNoted(Snapshot snapshot)
    {
        foreach (SnapshotRepo repo in snapshot.Repos)
            if (repo.Files.FirstOrDefault(file => file.Type == "primary") is { } primary && _noted.Remove(primary.Object, out List<PrimaryPackage>? packages))
                Add(primary.Object, packages);
    }

    /// <summary>Forgets all other lists.</summary>
    public void Keep(HashSet<string> primaries)
    {
        if (isWritable && Files.Exists(path))
            Ask(file =>
            {
                file.Keep(primaries);
                return file;
            });
    }

    /// <summary>Begins anew with an empty one.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _isGivenUp = !TryForget();
        }
    }

    public void Dispose() => _file?.Dispose();

    private T? Ask<T>(Func<IndexFile, T?> question, int tries = 1) where T : class
    {
        lock (_lock)
        {
            if (_isGivenUp || (!isWritable && _file is null && !Files.Exists(path)))
                return null;
            for (bool isAnew = false; ;)
            {
                try
                {
                    return question(_file ??= IndexFile.Open(path, isWritable));
                }
                catch (Exception e) when (e is SqliteException or IndexDamageException)
                {
                    if (e is SqliteException { IsBusy: true } && --tries > 0)
                        continue;
                    // One that is busy is good; any other is made anew by who may, once.
                    if (isAnew || !isWritable || e is SqliteException { IsBusy: true } || !TryForget())
                    {
                        _isGivenUp = true;
                        return null;
                    }
                    isAnew = true;
                }
            }
        }
    }

    private bool TryForget()
    {
        _file?.Dispose();
        _file = null;
        try
        {
            foreach (string name in (ReadOnlySpan<string>)[path, $"{path}-journal"])
                if (Files.Exists(name))
                    Directories.RemoveAll(name);
            return true;
        }
        catch (PosixException)
        {
            return false;
        }
    }
}
