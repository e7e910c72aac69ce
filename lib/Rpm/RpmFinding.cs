namespace Layerbox.Rpm;

/// <summary>Something that is wrong with a package.</summary>
/// <param name="Code">What kind of thing, for programs: <see cref="RpmFindingCodes"/>.</param>
/// <param name="Message">The same for people: what was found, what was expected.</param>
/// <param name="Path">The file of the package that it is about, as the package has it.</param>
public sealed record RpmFinding(string Code, string Message, byte[]? Path = null);

/// <summary>The codes of findings, and of what was checked.</summary>
public static class RpmFindingCodes
{
    /// <summary>A header, the compressed data or the archive cannot be read.</summary>
    public const string Malformed = "malformed";

    /// <summary>Nothing in the signature header would notice a change of the header.</summary>
    public const string NoDigest = "no_digest";

    public const string HeaderSha256 = "header_sha256", HeaderSha1 = "header_sha1";

    /// <summary>MD5 of main header and payload.</summary>
    public const string Md5 = "md5";

    /// <summary>Bytes of main header and payload.</summary>
    public const string Size = "size";

    /// <summary>The payload as it is in the file.</summary>
    public const string PayloadDigest = "payload_digest";

    /// <summary>The payload, not compressed.</summary>
    public const string ArchiveDigest = "archive_digest", ArchiveSize = "archive_size";

    public const string FileDigest = "file_digest", FileSize = "file_size";

    /// <summary>In the header and not in the payload, or the other way round, or twice.</summary>
    public const string FileMissing = "file_missing", FileUnexpected = "file_unexpected", FileTwice = "file_twice";

    /// <summary>Header and payload do not agree on what a file is, or where a link points to.</summary>
    public const string FileKind = "file_kind", LinkTarget = "link_target";

    /// <summary>Path, capabilities or kind of a file are such that it cannot be made.</summary>
    public const string FileImpossible = "file_impossible";

    /// <summary>rpmkeys does not accept the signatures, or there are none.</summary>
    public const string Signature = "signature";
}

/// <summary>What of a package is checked while it is read.</summary>
[Flags]
public enum RpmChecks
{
    None = 0,

    /// <summary>The digests of the header.</summary>
    Header = 1,

    /// <summary>The digest of the payload as it is in the file; where a package has none, or none of its header, MD5 of header and payload.</summary>
    Payload = 2,

    /// <summary>The digest of each file.</summary>
    Files = 4,

    /// <summary>Every digest and every size there is.</summary>
    All = Header | Payload | Files | 8,
}
