using System.Globalization;
using System.Security.Cryptography;

namespace Layerbox.Rpm;

/// <summary>The digests and sizes of a package, taken while its payload passes, and compared with what the headers say.</summary>
internal sealed class RpmDigests : IDisposable
{
    private readonly RpmPackage _package;
    private readonly Action<RpmFinding> _report;
    private readonly IncrementalHash? _payload, _archive, _md5;
    private readonly RpmDigestAlgorithm _algorithm;
    private readonly bool _isAll;

    public RpmDigests(RpmPackage package, RpmChecks checks, Action<RpmFinding> report)
    {
        _package = package;
        _report = report;
        _isAll = checks == RpmChecks.All;
        _algorithm = (RpmDigestAlgorithm)(package.Header.Number(RpmTag.PayloadDigestAlgorithm) ?? (ulong)RpmDigestAlgorithm.Sha256);
        bool hasPayloadDigest = package.Header.Count(RpmTag.PayloadDigest) > 0, hasHeaderDigest = s_headerDigests.Any(digest => package.Signature.Has(digest.Tag));
        if ((checks & RpmChecks.Payload) != 0)
        {
            _payload = hasPayloadDigest ? Start() : null;
            _archive = _isAll && package.Header.Count(RpmTag.PayloadDigestAlt) > 0 ? Start() : null;
            if ((_isAll || !hasPayloadDigest || !hasHeaderDigest) && !package.Signature.Binary(RpmSignatureTag.Md5).IsEmpty)
            {
                _md5 = RpmDigest.Start(RpmDigestAlgorithm.Md5);
                package.AppendHeader(_md5!);
            }
        }

        IncrementalHash Start() => RpmDigest.Start(_algorithm)
            ?? throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"header: payloaddigestalgo: {(int)_algorithm} is not supported"));
    }

    /// <summary>What was, or will be, compared; by the codes of findings.</summary>
    public IEnumerable<string> Checked()
    {
        foreach ((RpmTag tag, string code, RpmDigestAlgorithm _) in s_headerDigests)
            if (_package.Signature.Has(tag))
                yield return code;
        if (_md5 is not null)
            yield return RpmFindingCodes.Md5;
        if (_isAll && _package.PackedSize is not null)
            yield return RpmFindingCodes.Size;
        if (_payload is not null)
            yield return RpmFindingCodes.PayloadDigest;
        if (_archive is not null)
            yield return RpmFindingCodes.ArchiveDigest;
        if (_isAll && _package.ArchiveSize is not null)
            yield return RpmFindingCodes.ArchiveSize;
    }

    private static readonly (RpmTag Tag, string Code, RpmDigestAlgorithm Algorithm)[] s_headerDigests =
    [
        (RpmTag.Sha256Header, RpmFindingCodes.HeaderSha256, RpmDigestAlgorithm.Sha256),
        (RpmTag.Sha1Header, RpmFindingCodes.HeaderSha1, RpmDigestAlgorithm.Sha1),
    ];

    /// <summary>Compares the digests of the header.</summary>
    public static void CheckHeader(RpmPackage package, Action<RpmFinding> report)
    {
        bool any = !package.Signature.Binary(RpmSignatureTag.Md5).IsEmpty;
        foreach ((RpmTag tag, string code, RpmDigestAlgorithm algorithm) in s_headerDigests)
        {
            if (package.Signature.Text(tag) is not { } expected)
                continue;
            any = true;
            Compare(code, "the header's digest", expected, package.DigestHeader(algorithm), report);
        }
        if (!any)
            report(new RpmFinding(RpmFindingCodes.NoDigest, "the package has no digest of its header"));
    }

    /// <summary>Told of a piece of the payload as it is in the file.</summary>
    public void AppendPacked(ReadOnlySpan<byte> bytes)
    {
        _payload?.AppendData(bytes);
        _md5?.AppendData(bytes);
    }

    /// <summary>Told of a piece of the payload, decompressed.</summary>
    public void AppendArchive(ReadOnlySpan<byte> bytes) => _archive?.AppendData(bytes);

    /// <summary>Compares, when all has passed.</summary>
    /// <param name="packed">Bytes of the payload as it is in the file.</param>
    /// <param name="archive">Bytes of it, decompressed; null when it could not be read to its end.</param>
    public void Finish(long packed, long? archive)
    {
        if (_payload is not null)
            Compare(RpmFindingCodes.PayloadDigest, "the payload's digest", _package.Header.Text(RpmTag.PayloadDigest)!, _payload.GetHashAndReset(), _report);
        if (_md5 is not null)
            Compare(RpmFindingCodes.Md5, "the digest of header and payload", Convert.ToHexStringLower(_package.Signature.Binary(RpmSignatureTag.Md5)), _md5.GetHashAndReset(), _report);
        if (_isAll && _package.PackedSize is { } size && size != _package.Header.Size + packed)
            _report(new RpmFinding(RpmFindingCodes.Size, string.Create(CultureInfo.InvariantCulture, $"header and payload have {_package.Header.Size + packed} bytes, expected {size}")));
        if (archive is not { } length)
            return;
        if (_archive is not null)
            Compare(RpmFindingCodes.ArchiveDigest, "the digest of the decompressed payload", _package.Header.Text(RpmTag.PayloadDigestAlt)!, _archive.GetHashAndReset(), _report);
        if (_isAll && _package.ArchiveSize is { } expected && expected != length)
            _report(new RpmFinding(RpmFindingCodes.ArchiveSize, string.Create(CultureInfo.InvariantCulture, $"the decompressed payload has {length} bytes, expected {expected}")));
    }

    private static void Compare(string code, string what, string expected, byte[] found, Action<RpmFinding> report)
    {
        if (!RpmDigest.AreSame(expected, found))
            report(new RpmFinding(code, $"{what} is {Convert.ToHexStringLower(found)}, expected {Printable(expected)}"));
    }

    // What stands in its place may be anything.
    private static string Printable(string digits) =>
        digits.Length <= 128 && digits.All(char.IsAsciiHexDigit) ? digits : $"'{FileTree.BytesText.Escape(System.Text.Encoding.UTF8.GetBytes(digits.Length <= 128 ? digits : digits[..128]))}'";

    public void Dispose()
    {
        _payload?.Dispose();
        _archive?.Dispose();
        _md5?.Dispose();
    }
}
