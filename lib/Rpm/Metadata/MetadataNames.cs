using System.Xml;

namespace Layerbox.Rpm;

/// <summary>
/// The names of a document's elements and attributes, each kept once, as an XML reader wants them. A document has a few dozen names a hundred thousand times each, so those are
/// looked for at one place first. All names are in the table of the library, whose hashes nobody can foresee: whoever writes a document cannot make it slow.
/// </summary>
internal sealed class MetadataNames : XmlNameTable
{
    private readonly NameTable _all = new();
    private readonly string?[] _places = new string?[256];

    public override string Add(char[] array, int offset, int length)
    {
        ReadOnlySpan<char> name = array.AsSpan(offset, length);
        int place = PlaceOf(name);
        return _places[place] is { } known && name.SequenceEqual(known) ? known : _places[place] = _all.Add(array, offset, length);
    }

    public override string Add(string array)
    {
        int place = PlaceOf(array);
        return _places[place] is { } known && known == array ? known : _places[place] = _all.Add(array);
    }

    public override string? Get(char[] array, int offset, int length)
    {
        ReadOnlySpan<char> name = array.AsSpan(offset, length);
        return _places[PlaceOf(name)] is { } known && name.SequenceEqual(known) ? known : _all.Get(array, offset, length);
    }

    public override string? Get(string array) => _places[PlaceOf(array)] is { } known && known == array ? known : _all.Get(array);

    // The factors are such that no two names which primary.xml has in every package share a place.
    private static int PlaceOf(ReadOnlySpan<char> name) =>
        name.IsEmpty ? 0 : (byte)((15 * name[0]) + (4 * name[name.Length >> 1]) + (28 * name[^1]) + name.Length);
}
