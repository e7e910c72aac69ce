using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// A digest of all that the index says of a package. Computed anew of what was read back, it finds whatever became of a row meanwhile: an index that
/// is damaged never answers.
/// </summary>
internal sealed class PackageSeal
{
    public const int Size = 16;

    private byte[] _bytes = new byte[4096];
    private int _length;

    /// <summary>The seal, until the next one.</summary>
    public ReadOnlySpan<byte> Of(PrimaryPackage package)
    {
        _length = 0;
        Add(package.Nevra.Name);
        Add(package.Nevra.Evr.Epoch);
        Add(package.Nevra.Evr.Version);
        Add(package.Nevra.Evr.Release);
        Add(package.Nevra.Arch);
        Add((long)package.Checksum.Algorithm);
        Add(package.Checksum.Digits);
        Add(package.Location.Href);
        Add(package.Location.Base);
        Add(package.PackageSize);
        Add(package.InstalledSize);
        Add(package.ArchiveSize);
        Add(package.FileTime);
        Add(package.BuildTime);
        Add(package.HeaderStart);
        Add(package.HeaderEnd);
        Add(package.SourceRpm);
        int end = _length;
        Reserve(SHA256.HashSizeInBytes);
        SHA256.HashData(_bytes.AsSpan(0, end), _bytes.AsSpan(end));
        return _bytes.AsSpan(end, Size);
    }

    // Lengths and marks before the values, so that no two packages have the same bytes.
    private void Add(string? text)
    {
        Reserve(sizeof(int) + Encoding.UTF8.GetMaxByteCount(text?.Length ?? 0));
        int count = text is null ? -1 : Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_length + sizeof(int)));
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(_length), count);
        _length += sizeof(int) + Math.Max(count, 0);
    }

    private void Add(long? number)
    {
        Reserve(1 + sizeof(long));
        _bytes[_length] = number is null ? (byte)0 : (byte)1;
        BinaryPrimitives.WriteInt64LittleEndian(_bytes.AsSpan(_length + 1), number ?? 0);
        _length += 1 + sizeof(long);
    }

    private void Reserve(int count)
    {
        if (_bytes.Length - _length < count)
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _length + count));
    }
}
