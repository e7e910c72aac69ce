using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Where the packages of a list are: a hash of each one's path, in its order. A path without a row is no package's; one that has rows may be another's, whose
/// hash is the same, so the row is to be read. It takes 16 bytes a package, and the packages stay where they are.
/// </summary>
internal sealed class PackagePaths
{
    private const int HashSize = sizeof(uint);

    private readonly ulong[] _places; // the hash, and below it the place in the list; sorted
    private readonly List<long> _ids;

    /// <param name="primary">The list's object.</param>
    /// <param name="seal">Its seal in the index.</param>
    /// <param name="hasOutside">Whether any package is outside of the repository.</param>
    /// <param name="ids">Its rows.</param>
    /// <param name="hashes">What <see cref="Write"/> wrote.</param>
    /// <exception cref="IndexDamageException">These are not the same packages.</exception>
    public PackagePaths(string primary, byte[] seal, bool hasOutside, List<long> ids, ReadOnlySpan<byte> hashes)
    {
        if (hashes.Length != ids.Count * HashSize)
            throw new IndexDamageException("a list is damaged");
        (Primary, Seal, HasOutside, _ids) = (primary, seal, hasOutside, ids);
        _places = new ulong[ids.Count];
        for (int i = 0; i < _places.Length; i++)
            _places[i] = ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(hashes[(i * HashSize)..]) << 32) | (uint)i;
        Array.Sort(_places);
    }

    public string Primary { get; }

    public byte[] Seal { get; }

    public bool HasOutside { get; }

    /// <summary>Adds a package's hash.</summary>
    public static void Write(Stream hashes, RepoLocation location)
    {
        Span<byte> bytes = stackalloc byte[HashSize];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, HashOf(Unescaped(location.Path)));
        hashes.Write(bytes);
    }

    /// <summary>Whether a path is a location's, with its percent signs or without.</summary>
    public static bool IsAt(RepoLocation location, string path) => location.Path == path || Unescaped(location.Path) == path;

    /// <summary>The rows that may be the package at a path, in the order of the list.</summary>
    public IReadOnlyList<long> RowsAt(string path)
    {
        uint hash = HashOf(path);
        List<int> places = [];
        Add(hash, places);
        // The path may be one that has its percent signs.
        if (path.Contains('%', StringComparison.Ordinal) && HashOf(Unescaped(path)) is var other && other != hash)
            Add(other, places);
        places.Sort();
        return [.. places.Select(place => _ids[place])];
    }

    private void Add(uint hash, List<int> places)
    {
        int at = Array.BinarySearch(_places, (ulong)hash << 32);
        for (at = at < 0 ? ~at : at; at < _places.Length && _places[at] >> 32 == hash; at++)
            places.Add((int)(uint)_places[at]);
    }

    // Of a digest: whoever writes the metadata cannot choose paths that all have the same.
    private static uint HashOf(string path)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(path), digest);
        return BinaryPrimitives.ReadUInt32LittleEndian(digest);
    }

    private static string Unescaped(string path) => path.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(path) : path;
}
