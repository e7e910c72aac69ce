using System.Globalization;
using System.Security.Cryptography;

namespace Layerbox.Rpm;

/// <summary>A hash function by its number in OpenPGP (RFC 4880, section 9.4), as headers name it.</summary>
public enum RpmDigestAlgorithm
{
    Md5 = 1,
    Sha1 = 2,
    Sha256 = 8,
    Sha384 = 9,
    Sha512 = 10,
    Sha224 = 11,
}

/// <summary>What is common to digests in packages and in repository metadata.</summary>
public static class RpmDigest
{
    /// <summary>The algorithm's name as repository metadata and our JSON have it: "sha256".</summary>
    public static string NameOf(RpmDigestAlgorithm algorithm) => algorithm switch
    {
        RpmDigestAlgorithm.Md5 => "md5",
        RpmDigestAlgorithm.Sha1 => "sha1",
        RpmDigestAlgorithm.Sha256 => "sha256",
        RpmDigestAlgorithm.Sha384 => "sha384",
        RpmDigestAlgorithm.Sha512 => "sha512",
        RpmDigestAlgorithm.Sha224 => "sha224",
        _ => ((int)algorithm).ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>Bytes of a digest; 0 when the algorithm is not known.</summary>
    public static int SizeOf(RpmDigestAlgorithm algorithm) => algorithm switch
    {
        RpmDigestAlgorithm.Md5 => 16,
        RpmDigestAlgorithm.Sha1 => 20,
        RpmDigestAlgorithm.Sha224 => 28,
        RpmDigestAlgorithm.Sha256 => 32,
        RpmDigestAlgorithm.Sha384 => 48,
        RpmDigestAlgorithm.Sha512 => 64,
        _ => 0,
    };

    /// <summary>Starts a digest; null when .NET has no such function (sha224).</summary>
    public static IncrementalHash? Start(RpmDigestAlgorithm algorithm) => algorithm switch
    {
        RpmDigestAlgorithm.Md5 => IncrementalHash.CreateHash(HashAlgorithmName.MD5),
        RpmDigestAlgorithm.Sha1 => IncrementalHash.CreateHash(HashAlgorithmName.SHA1),
        RpmDigestAlgorithm.Sha256 => IncrementalHash.CreateHash(HashAlgorithmName.SHA256),
        RpmDigestAlgorithm.Sha384 => IncrementalHash.CreateHash(HashAlgorithmName.SHA384),
        RpmDigestAlgorithm.Sha512 => IncrementalHash.CreateHash(HashAlgorithmName.SHA512),
        _ => null,
    };

    /// <summary>Whether the digits, of either case, are this digest.</summary>
    public static bool AreSame(ReadOnlySpan<char> digits, ReadOnlySpan<byte> digest)
    {
        Span<byte> found = stackalloc byte[64];
        return digits.Length == 2 * digest.Length
            && Convert.FromHexString(digits, found, out _, out int count) == System.Buffers.OperationStatus.Done
            && found[..count].SequenceEqual(digest);
    }
}
