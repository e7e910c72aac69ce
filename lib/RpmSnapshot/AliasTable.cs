using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Which object has a digest that is not sha256: lines "sha512:DIGITS OBJECT", sorted. All of it can be computed from the objects, so a line that cannot
/// be read, or a table that is lost, is only work to do again.
/// </summary>
public sealed class AliasTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<RpmChecksum, string> _objects = [];
    private readonly HashSet<(RpmDigestAlgorithm, string)> _known = [];
    private bool _isChanged;

    private AliasTable()
    {
    }

    internal static AliasTable Empty() => new() { _isChanged = true };

    internal static AliasTable Read(string path)
    {
        AliasTable table = new();
        if (!Files.Exists(path))
            return table;
        foreach ((RpmChecksum checksum, string digest) in Lines(Encoding.Latin1.GetString(WholeFile.Read(path))))
            table.Put(checksum, digest);
        table._isChanged = false;
        return table;
    }

    /// <summary>What lines "sha512:DIGITS OBJECT" say; others say nothing.</summary>
    internal static IEnumerable<(RpmChecksum Checksum, string Digest)> Lines(string text)
    {
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            int colon = line.IndexOf(':'), space = line.IndexOf(' ');
            if (colon > 0 && space > colon && SnapshotStore.IsDigest(line[(space + 1)..]) && Parse(line[..colon], line[(colon + 1)..space]) is { } checksum)
                yield return (checksum, line[(space + 1)..]);
        }
    }

    private static RpmChecksum? Parse(string type, string digits)
    {
        try
        {
            return RpmChecksum.Parse(type, digits);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    public int Count => _objects.Count;

    public string? Find(RpmChecksum checksum)
    {
        lock (_lock)
            return _objects.GetValueOrDefault(checksum);
    }

    public void Add(RpmChecksum checksum, string digest)
    {
        lock (_lock)
            Put(checksum, digest);
    }

    /// <summary>Whether an object's digest of this kind is known.</summary>
    public bool Knows(RpmDigestAlgorithm algorithm, string digest)
    {
        lock (_lock)
            return _known.Contains((algorithm, digest));
    }

    /// <summary>Computes digests of objects that are there. One that cannot be read has none: verify tells of it.</summary>
    internal void Derive(SnapshotStore store, IReadOnlyList<string> digests, IReadOnlyCollection<RpmDigestAlgorithm> algorithms, Action<long>? progress = null)
    {
        long done = 0;
        Parallel.ForEach(digests, digest =>
        {
            string path = store.PathOf(digest);
            try
            {
                using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow);
                // The object's own digest, too: another name must not be given to bytes that have rotted.
                string[] found = ObjectDigests.Of(file, path, [RpmDigestAlgorithm.Sha256, .. algorithms]);
                if (found[0] == digest)
                    foreach ((RpmDigestAlgorithm algorithm, string digits) in algorithms.Zip(found[1..]))
                        Add(new RpmChecksum(algorithm, digits), digest);
            }
            catch (PosixException)
            {
            }
            progress?.Invoke(Interlocked.Increment(ref done));
        });
    }

    /// <summary>Forgets what stands for objects other than these.</summary>
    internal void RemoveUnless(HashSet<string> objects)
    {
        foreach (RpmChecksum checksum in (List<RpmChecksum>)[.. _objects.Where(pair => !objects.Contains(pair.Value)).Select(pair => pair.Key)])
        {
            _known.Remove((checksum.Algorithm, _objects[checksum]));
            _objects.Remove(checksum);
            _isChanged = true;
        }
    }

    internal void Save(string path)
    {
        if (!_isChanged)
            return;
        StringBuilder text = new();
        foreach ((string checksum, string digest) in _objects.Select(pair => (pair.Key.ToString(), pair.Value)).OrderBy(pair => pair.Item1, StringComparer.Ordinal))
            text.Append(checksum).Append(' ').Append(digest).Append('\n');
        WholeFile.Write(path, Encoding.ASCII.GetBytes(text.ToString()));
        _isChanged = false;
    }

    private void Put(RpmChecksum checksum, string digest)
    {
        _objects[checksum] = digest;
        _known.Add((checksum.Algorithm, digest));
        _isChanged = true;
    }
}
