using System.Globalization;
using System.Security.Cryptography;
using Layerbox.Compression;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>Bytes up to a limit, with their digest.</summary>
internal sealed class CountedStream(Stream source, long limit, RpmDigestAlgorithm? algorithm) : ReadOnlyStream
{
    private readonly IncrementalHash? _hash = algorithm is { } known
        ? RpmDigest.Start(known) ?? throw new InvalidDataException($"checksums of type {RpmDigest.NameOf(known)} cannot be computed") : null;

    private long _count;

    public override int Read(Span<byte> buffer)
    {
        int count = source.Read(buffer);
        if ((_count += count) > limit)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"decompressed it has more than {limit} bytes"));
        _hash?.AppendData(buffer[..count]);
        return count;
    }

    public string Digest() => Convert.ToHexStringLower(_hash!.GetHashAndReset());

    protected override void Dispose(bool disposing)
    {
        _hash?.Dispose();
        base.Dispose(disposing);
    }
}
