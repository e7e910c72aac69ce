using System.Security.Cryptography;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>Digests of files that are there.</summary>
internal static class ObjectDigests
{
    private const int BufferSize = 256 * 1024;

    /// <summary>Hexadecimal digits, in the order of the algorithms.</summary>
    public static string[] Of(SafeFileHandle file, string path, IReadOnlyCollection<RpmDigestAlgorithm> algorithms)
    {
        List<IncrementalHash> hashes = [];
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            foreach (RpmDigestAlgorithm algorithm in algorithms)
                hashes.Add(RpmDigest.Start(algorithm) ?? throw new InvalidDataException($"digests of type {RpmDigest.NameOf(algorithm)} cannot be computed"));
            while (Files.Read(file, buffer, path) is var count and > 0)
                foreach (IncrementalHash hash in hashes)
                    hash.AppendData(buffer.AsSpan(0, count));
            return [.. hashes.Select(hash => Convert.ToHexStringLower(hash.GetHashAndReset()))];
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
            foreach (IncrementalHash hash in hashes)
                hash.Dispose();
        }
    }
}
