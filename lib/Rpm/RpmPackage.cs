using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Layerbox.Rpm;

/// <summary>
/// A package file, read forwards: lead and both headers when it is opened, the payload when somebody asks for it.
/// Digests are not checked by opening.
/// </summary>
public sealed class RpmPackage : IDisposable
{
    private readonly RpmInput _input;

    private RpmPackage(RpmInput input, RpmHeader signature, RpmHeader header, long headerOffset)
    {
        _input = input;
        (Signature, Header, HeaderOffset) = (signature, header, headerOffset);
    }

    /// <summary>What signatures, digests and sizes say about the rest of the file.</summary>
    public RpmHeader Signature { get; }

    /// <summary>What the package is.</summary>
    public RpmHeader Header { get; }

    /// <summary>Where the main header starts in the file, in bytes.</summary>
    public long HeaderOffset { get; }

    /// <summary>Where the payload starts.</summary>
    public long PayloadOffset => HeaderOffset + Header.Size;

    /// <summary>Whether it holds sources and a spec file, not what is to be installed.</summary>
    public bool IsSource => !Header.Has(RpmTag.SourceRpm);

    /// <summary>Bytes of main header and payload together, as the signature header has it; null when it has not.</summary>
    public long? PackedSize => Size(RpmTag.LongSignatureSize, RpmSignatureTag.Size, Signature);

    /// <summary>Bytes of the payload when it is not compressed, as the headers have it; null when they have not.</summary>
    public long? ArchiveSize =>
        Size(RpmTag.LongArchiveSize, RpmSignatureTag.PayloadSize, Signature) ?? Size(RpmTag.LongArchiveSize, RpmTag.ArchiveSize, Header);

    private static long? Size(RpmTag longTag, RpmTag tag, RpmHeader header) =>
        (header.Number(longTag) ?? header.Number(tag)) is { } size and <= long.MaxValue ? (long)size : null;

    internal RpmInput Input => _input;

    /// <summary>Reads lead and headers. The stream, which stays the caller's, stands behind them or further on afterwards.</summary>
    /// <exception cref="InvalidDataException">It is no package, or a malformed one: offset, where, what.</exception>
    public static RpmPackage Open(Stream source)
    {
        RpmInput input = new(source);
        try
        {
            Span<byte> lead = stackalloc byte[RpmFormat.LeadSize];
            input.TakeExactly(lead, "lead");
            // All else in it is obsolete: rpm reads only the magic, and writes version 3.0 into all packages.
            if (!lead.StartsWith(RpmFormat.LeadMagic))
                throw RpmFormat.Error(0, "lead", $"it does not start with edabeedb, found {Convert.ToHexStringLower(lead[..4])}: no rpm package");
            RpmHeader signature = RpmHeaderReader.Read(input, RpmHeaderKind.Signature);
            Span<byte> padding = stackalloc byte[(8 - (signature.Size % 8)) % 8];
            input.TakeExactly(padding, "padding of the signature header");
            long headerOffset = input.Offset;
            RpmHeader header = RpmHeaderReader.Read(input, RpmHeaderKind.Main);
            foreach (RpmTag needed in (ReadOnlySpan<RpmTag>)[RpmTag.Name, RpmTag.Version, RpmTag.Release])
                if (header.String(needed).IsEmpty)
                    throw RpmFormat.Error(headerOffset, RpmFormat.NameOf(RpmHeaderKind.Main), $"no {RpmTagNames.Of(needed, RpmHeaderKind.Main)}");
            return new RpmPackage(input, signature, header, headerOffset);
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    /// <summary>The digest of that part of the main header which is signed, as the signature header has it.</summary>
    public byte[] DigestHeader(RpmDigestAlgorithm algorithm)
    {
        using IncrementalHash hash = RpmDigest.Start(algorithm) ?? throw new ArgumentOutOfRangeException(nameof(algorithm));
        Span<byte> sizes = stackalloc byte[8];
        BinaryPrimitives.WriteInt32BigEndian(sizes, Header.SignedEntries);
        BinaryPrimitives.WriteInt32BigEndian(sizes[4..], Header.SignedData);
        hash.AppendData(RpmFormat.HeaderMagic);
        hash.AppendData(sizes);
        hash.AppendData(Header.IndexAndData[..(Header.SignedEntries * RpmFormat.EntrySize)]);
        hash.AppendData(Header.Data[..Header.SignedData]);
        return hash.GetHashAndReset();
    }

    /// <summary>The main header as it stands in the file, to a digest.</summary>
    internal void AppendHeader(IncrementalHash hash)
    {
        Span<byte> sizes = stackalloc byte[8];
        BinaryPrimitives.WriteInt32BigEndian(sizes, Header.Entries.Count);
        BinaryPrimitives.WriteInt32BigEndian(sizes[4..], Header.Data.Length);
        hash.AppendData(RpmFormat.HeaderMagic);
        hash.AppendData(sizes);
        hash.AppendData(Header.IndexAndData);
    }

    public void Dispose() => _input.Dispose();
}
