using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Layerbox.Sqlite;

namespace Layerbox.RpmSnapshot;

/// <summary>An index that is not what it was when it was written, or of another version.</summary>
internal sealed class IndexDamageException(string message) : IOException(message);

/// <summary>
/// The SQLite database of an index: what packages are, each once, and which of them a primary.xml lists. All of it stands in the objects, too; what
/// cannot be read, or is not what its seal says, is an exception, and whoever asked reads the objects.
/// </summary>
internal sealed class IndexFile : IDisposable
{
    private const int Format = 2;
    private const string Columns = "name, epoch, version, release, arch, checksum, digest, href, base, size, installed, archive, file_time, build_time, header_start, header_end, source";

    // Readers rather read the metadata than wait; a writer has only readers to wait for, who are quick.
    private const int ReadersPatience = 200, WritersPatience = 10_000; // milliseconds

    private readonly SqliteDatabase _database;
    private readonly PackageSeal _seal = new();
    private Dictionary<UInt128, long>? _rows;
    private SqliteStatement? _ofList, _ofRow;
    private readonly Texts _texts = new();

    // The lists that were found when the file was as it is in this version of it.
    private readonly HashSet<PackagePaths> _present = [];
    private uint _version;

    private readonly int _patience;

    private IndexFile(SqliteDatabase database, int patience) => (_database, _patience) = (database, patience);

    /// <exception cref="SqliteException">It cannot be opened.</exception>
    /// <exception cref="IndexDamageException">It is one of another format.</exception>
    public static IndexFile Open(string path, bool isWritable)
    {
        int patience = isWritable ? WritersPatience : ReadersPatience;
        SqliteDatabase database = SqliteDatabase.Open(PathText.ToBytes(WithoutLinks(path)), isWritable, patience);
        try
        {
            // A journal that is removed afterwards, and no WAL: that would need a directory that readers can write to. Whether it is on the disk does not matter.
            if (isWritable)
                database.Execute("PRAGMA journal_mode = DELETE", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -16000");
            long format = database.Number("PRAGMA user_version");
            if (format == 0 && isWritable && database.Number("SELECT count(*) FROM sqlite_schema") == 0)
                Make(database);
            else if (format != Format)
                throw new IndexDamageException(string.Create(CultureInfo.InvariantCulture, $"its format is {format}, not {Format}"));
            return new IndexFile(database, patience);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _ofList?.Dispose();
        _ofRow?.Dispose();
        _database.Dispose();
    }

    // SQLite is to follow no link that the index is, and then follows none that leads to the store either.
    private static string WithoutLinks(string path)
    {
        try
        {
            return RealPath.OfName(path);
        }
        catch (PosixException e)
        {
            throw new IndexDamageException(e.Message);
        }
    }

    /// <summary>The packages of a primary.xml in its order; null when they are not known here.</summary>
    public List<PrimaryPackage>? Find(string primary)
    {
        if (Ids(primary) is not { } ids)
            return null;
        PrimaryPackage[] packages = new PrimaryPackage[ids.Count];
        // By row, so that pages are read once.
        int[] places = new int[ids.Count];
        for (int i = 0; i < places.Length; i++)
            places[i] = i;
        Array.Sort([.. ids], places);
        int next = 0;
        Read(places.Select(place => ids[place]), package => packages[places[next++]] = package);
        return [.. packages];
    }

    /// <summary>Goes through the packages of several lists, each once; gives the lists that are not known here.</summary>
    /// <param name="primaries">The lists, in the order in which they are looked at.</param>
    /// <param name="without">Lists whose packages are left out.</param>
    /// <param name="take">Is given each package.</param>
    public List<string> Each(IReadOnlyList<string> primaries, IReadOnlyCollection<string> without, Action<PrimaryPackage> take)
    {
        HashSet<long> seen = [];
        foreach (string primary in without)
            seen.UnionWith(Ids(primary) ?? []);
        List<string> unknown = [];
        foreach (string primary in primaries)
            if (Ids(primary) is { } ids)
                Read(ids.Where(seen.Add).Order(), take);
            else
                unknown.Add(primary);
        return unknown;
    }

    private void Read(IEnumerable<long> ids, Action<PrimaryPackage> take)
    {
        using SqliteStatement select = _database.Prepare($"SELECT seal, {Columns} FROM package WHERE id = ?");
        Texts texts = new();
        foreach (long id in ids)
        {
            select.Bind(1, id);
            take(select.Step() ? Package(select, 0, texts) : throw new IndexDamageException("a package is missing"));
            select.Reset();
        }
    }

    /// <summary>Which rows a primary.xml lists; null when it is not known here.</summary>
    public List<long>? Ids(string primary) => List(primary, list => PackageIds.Unpack(list.Bytes(2)));

    /// <summary>Where the packages of a primary.xml are; null when it is not known here.</summary>
    public PackagePaths? Paths(string primary) =>
        List(primary, list => new PackagePaths(primary, list.Bytes(0).ToArray(), list.Number(1) > 0, PackageIds.Unpack(list.Bytes(2)), list.Bytes(3)));

    /// <summary>Whether others that have it locked are waited for.</summary>
    public void BePatient(bool isPatient) => _database.Patience(isPatient ? _patience : 0);

    /// <summary>The package at a path; null when the list has none there.</summary>
    /// <param name="list">The list, as it was read from this index.</param>
    /// <param name="path">The path, with or without percent signs.</param>
    /// <param name="rows">What the list has for that path.</param>
    /// <exception cref="IndexDamageException">The list is another one by now.</exception>
    public PrimaryPackage? PackageAt(PackagePaths list, string path, IReadOnlyList<long> rows)
    {
        foreach (long id in rows)
            if (PackageOf(list, id) is var package && PackagePaths.IsAt(package.Location, path))
                return package;
        return null;
    }

    // As long as a list is there, none of its rows is another package's. It takes SQLite all of a list to find it, so that is asked for only when the file was changed since.
    private PrimaryPackage PackageOf(PackagePaths list, long id)
    {
        if (_present.Contains(list))
        {
            _ofRow ??= _database.Prepare($"SELECT seal, {Columns} FROM package WHERE id = ?");
            _ofRow.Bind(1, id);
            try
            {
                bool isThere = _ofRow.Step();
                if (_database.DataVersion == _version)
                    return isThere ? Package(_ofRow, 0, _texts) : throw new IndexDamageException("a package is missing");
            }
            finally
            {
                _ofRow.Reset();
            }
        }
        _ofList ??= _database.Prepare($"SELECT seal, {Columns} FROM package WHERE id = ? AND EXISTS (SELECT 1 FROM list WHERE list.object = ? AND list.seal = ?)");
        _ofList.Bind(1, id);
        _ofList.Bind(2, list.Primary);
        _ofList.Bind(3, list.Seal);
        try
        {
            PrimaryPackage package = _ofList.Step() ? Package(_ofList, 0, _texts) : throw new IndexDamageException("a package is missing");
            uint version = _database.DataVersion;
            if (version != _version)
                _present.Clear();
            _version = version;
            _present.Add(list);
            return package;
        }
        finally
        {
            _ofList.Reset();
        }
    }

    /// <summary>All packages of which something holds, by their rows.</summary>
    /// <param name="isWanted">Is given every package that any list has.</param>
    /// <param name="rows">Told every row there is.</param>
    public Dictionary<long, PrimaryPackage> Search(Func<PrimaryPackage, bool> isWanted, HashSet<long> rows)
    {
        Dictionary<long, PrimaryPackage> found = [];
        using SqliteStatement select = _database.Prepare($"SELECT id, seal, {Columns} FROM package");
        Texts texts = new();
        while (select.Step())
        {
            PrimaryPackage package = Package(select, 1, texts);
            rows.Add(select.Number(0));
            if (isWanted(package))
                found.Add(select.Number(0), package);
        }
        return found;
    }

    /// <summary>Adds a primary.xml and those of its packages that are not there; all or nothing.</summary>
    public void Add(string primary, IEnumerable<PrimaryPackage> packages)
    {
        if (Ids(primary) is not null)
            return;
        _rows ??= ReadRows();
        List<UInt128> added = [];
        List<long> ids = [];
        using MemoryStream paths = new();
        long outside = 0;
        _database.Execute("BEGIN IMMEDIATE");
        try
        {
            using SqliteStatement insert = _database.Prepare($"INSERT INTO package (seal, {Columns}) VALUES ({string.Join(", ", Enumerable.Repeat("?", 18))})");
            foreach (PrimaryPackage package in packages)
            {
                ReadOnlySpan<byte> seal = _seal.Of(package);
                UInt128 key = System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(seal);
                if (!_rows.TryGetValue(key, out long id))
                {
                    Bind(insert, seal, package);
                    insert.Step();
                    id = _database.LastRow;
                    _rows.Add(key, id);
                    added.Add(key);
                }
                ids.Add(id);
                PackagePaths.Write(paths, package.Location);
                outside += package.Location.Place == RepoPlace.Inside ? 0 : 1;
            }
            using SqliteStatement list = _database.Prepare("INSERT OR REPLACE INTO list (object, seal, outside, packages, paths) VALUES (?, ?, ?, ?, ?)");
            byte[] packed = PackageIds.Pack(ids);
            list.Bind(1, primary);
            list.Bind(2, SealOf(primary, outside, packed, paths.ToArray()));
            list.Bind(3, outside);
            list.Bind(4, packed);
            list.Bind(5, paths.ToArray());
            list.Step();
            _database.Execute("COMMIT");
        }
        catch
        {
            foreach (UInt128 key in added)
                _rows.Remove(key);
            _database.Execute("ROLLBACK");
            throw;
        }
    }

    /// <summary>Removes what other lists than these have alone.</summary>
    public void Keep(HashSet<string> primaries)
    {
        List<string> gone = [];
        HashSet<long> needed = [], all = [];
        using (SqliteStatement lists = _database.Prepare("SELECT object FROM list"))
            while (lists.Step())
                if (lists.Text(0) is { } primary && primaries.Contains(primary))
                    needed.UnionWith(Ids(primary)!);
                else
                    gone.Add(lists.Text(0)!);
        if (gone.Count == 0)
            return;
        _rows = null;
        _present.Clear();
        using (SqliteStatement rows = _database.Prepare("SELECT id FROM package"))
            while (rows.Step())
                all.Add(rows.Number(0));
        all.ExceptWith(needed);
        _database.Execute("BEGIN IMMEDIATE");
        using (SqliteStatement remove = _database.Prepare("DELETE FROM list WHERE object = ?"))
            foreach (string primary in gone)
            {
                remove.Bind(1, primary);
                remove.Step();
            }
        using (SqliteStatement remove = _database.Prepare("DELETE FROM package WHERE id = ?"))
            foreach (long id in all.Order())
            {
                remove.Bind(1, id);
                remove.Step();
            }
        _database.Execute("COMMIT", "VACUUM");
    }

    private static void Make(SqliteDatabase database) => database.Execute(
        "BEGIN IMMEDIATE",
        """
        CREATE TABLE package (id INTEGER PRIMARY KEY, seal BLOB NOT NULL, name TEXT NOT NULL, epoch INTEGER NOT NULL, version TEXT NOT NULL, release TEXT NOT NULL, arch TEXT NOT NULL,
            checksum INTEGER NOT NULL, digest TEXT NOT NULL, href TEXT NOT NULL, base TEXT, size INTEGER, installed INTEGER, archive INTEGER, file_time INTEGER, build_time INTEGER,
            header_start INTEGER, header_end INTEGER, source TEXT)
        """,
        // What is asked for most comes first: behind it a row goes on in other pages.
        "CREATE TABLE list (object TEXT PRIMARY KEY, seal BLOB NOT NULL, outside INTEGER NOT NULL, packages BLOB NOT NULL, paths BLOB NOT NULL) WITHOUT ROWID",
        string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {Format}"),
        "COMMIT");

    private Dictionary<UInt128, long> ReadRows()
    {
        Dictionary<UInt128, long> rows = [];
        using SqliteStatement select = _database.Prepare("SELECT id, seal FROM package");
        while (select.Step())
            rows[System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(select.Bytes(1) is { Length: PackageSeal.Size } seal ? seal : throw new IndexDamageException("a seal is damaged"))] = select.Number(0);
        return rows;
    }

    private static void Bind(SqliteStatement insert, ReadOnlySpan<byte> seal, PrimaryPackage package)
    {
        insert.Bind(1, seal);
        insert.Bind(2, package.Nevra.Name);
        insert.Bind(3, package.Nevra.Evr.Epoch);
        insert.Bind(4, package.Nevra.Evr.Version);
        insert.Bind(5, package.Nevra.Evr.Release);
        insert.Bind(6, package.Nevra.Arch);
        insert.Bind(7, (long)package.Checksum.Algorithm);
        insert.Bind(8, package.Checksum.Digits);
        insert.Bind(9, package.Location.Href);
        insert.Bind(10, package.Location.Base);
        insert.Bind(11, package.PackageSize);
        insert.Bind(12, package.InstalledSize);
        insert.Bind(13, package.ArchiveSize);
        insert.Bind(14, package.FileTime);
        insert.Bind(15, package.BuildTime);
        insert.Bind(16, package.HeaderStart);
        insert.Bind(17, package.HeaderEnd);
        insert.Bind(18, package.SourceRpm);
    }

    private PrimaryPackage Package(SqliteStatement row, int seal, Texts texts)
    {
        int at = seal + 1;
        PrimaryPackage package;
        try
        {
            package = new PrimaryPackage(
                new Nevra(row.Text(at)!, new Evr((uint)row.Number(at + 1), texts.Version(row.Text(at + 2)!), texts.Release(row.Text(at + 3)!)), texts.Arch(row.Text(at + 4)!)),
                new RpmChecksum((RpmDigestAlgorithm)row.Number(at + 5), row.Text(at + 6)!),
                RepoLocation.Parse(row.Text(at + 7) ?? throw new IndexDamageException("a package has no location"), row.Text(at + 8)))
            {
                PackageSize = Number(row, at + 9),
                InstalledSize = Number(row, at + 10),
                ArchiveSize = Number(row, at + 11),
                FileTime = Number(row, at + 12),
                BuildTime = Number(row, at + 13),
                HeaderStart = Number(row, at + 14),
                HeaderEnd = Number(row, at + 15),
                SourceRpm = row.Text(at + 16),
            };
        }
        catch (FormatException e)
        {
            throw new IndexDamageException(e.Message);
        }
        return _seal.Of(package).SequenceEqual(row.Bytes(seal)) ? package : throw new IndexDamageException("a package is damaged");
    }

    private static long? Number(SqliteStatement row, int column) => row.IsNull(column) ? null : row.Number(column);

    private T? List<T>(string primary, Func<SqliteStatement, T> read) where T : class
    {
        using SqliteStatement list = _database.Prepare("SELECT seal, outside, packages, paths FROM list WHERE object = ?");
        list.Bind(1, primary);
        if (!list.Step())
            return null;
        return list.Bytes(0).SequenceEqual(SealOf(primary, list.Number(1), list.Bytes(2), list.Bytes(3))) ? read(list) : throw new IndexDamageException("a list is damaged");
    }

    private static byte[] SealOf(string primary, long outside, ReadOnlySpan<byte> packed, ReadOnlySpan<byte> paths)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{primary} {outside} {packed.Length} ")));
        hash.AppendData(packed);
        hash.AppendData(paths);
        return hash.GetHashAndReset();
    }

    /// <summary>Texts that the package before had, too, are kept once.</summary>
    private sealed class Texts
    {
        private string _version = "", _release = "", _arch = "";

        public string Version(string text) => text == _version ? _version : _version = text;
        public string Release(string text) => text == _release ? _release : _release = text;
        public string Arch(string text) => text == _arch ? _arch : _arch = text;
    }
}
