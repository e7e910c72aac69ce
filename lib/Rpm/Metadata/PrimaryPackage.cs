namespace Layerbox.Rpm;

/// <summary>A package as a repository's primary.xml describes it.</summary>
/// <param name="Nevra">What it is called.</param>
/// <param name="Checksum">Of the package file; the package's id in the other files of the metadata.</param>
/// <param name="Location">Where it is.</param>
public sealed record PrimaryPackage(Nevra Nevra, RpmChecksum Checksum, RepoLocation Location)
{
    /// <summary>Bytes of the package file.</summary>
    public long? PackageSize { get; init; }

    /// <summary>Bytes of its files.</summary>
    public long? InstalledSize { get; init; }

    /// <summary>Bytes of its payload, not compressed.</summary>
    public long? ArchiveSize { get; init; }

    /// <summary>When the package file was put there, in seconds since 1970.</summary>
    public long? FileTime { get; init; }

    /// <summary>When it was built.</summary>
    public long? BuildTime { get; init; }

    /// <summary>Where in the package file its main header starts, in bytes.</summary>
    public long? HeaderStart { get; init; }

    /// <summary>Where the header ends and the payload starts.</summary>
    public long? HeaderEnd { get; init; }

    /// <summary>The source package that it was built from; null for sources.</summary>
    public string? SourceRpm { get; init; }

    /// <summary>What it requires, provides and so on; empty unless it was asked for.</summary>
    public IReadOnlyList<RpmDependency> Relations { get; init; } = [];
}
