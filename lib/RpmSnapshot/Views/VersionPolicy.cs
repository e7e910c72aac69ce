namespace Layerbox.RpmSnapshot;

/// <summary>Packages that move together.</summary>
/// <param name="Name">What the group is called in messages.</param>
/// <param name="Members">Names, which the chosen version must all have, and patterns, which say what else moves with them.</param>
/// <param name="ByVersion">Whether members belong together that have one version; else those that were built from one source package.</param>
internal sealed record PolicyGroup(string Name, IReadOnlyList<PackageRule> Members, bool ByVersion);

/// <summary>
/// Which packages of a snapshot a view of it has. Each rule takes packages away from what those before it left: the date, what is denied, what is not allowed, other
/// versions of what is pinned, other versions of what moves together, all but the newest.
/// </summary>
public sealed record VersionPolicy
{
    /// <summary>Packages built later are left out, and those of which it is not known when they were built.</summary>
    public DateTimeOffset? AsOf { get; init; }

    /// <summary>How many versions of a name and architecture are kept.</summary>
    public int? Newest { get; init; }

    /// <summary>Null when all are allowed.</summary>
    internal IReadOnlyList<PackageRule>? Allow { get; init; }

    internal IReadOnlyList<PackageRule> Deny { get; init; } = [];

    internal IReadOnlyList<PackageRule> Pin { get; init; } = [];

    internal IReadOnlyList<PolicyGroup> Groups { get; init; } = [];

    /// <summary>Reads a policy, strictly.</summary>
    /// <param name="json">UTF-8; comments and commas at the end are allowed.</param>
    /// <exception cref="InvalidDataException">It is none: the place in it and what is wrong.</exception>
    public static VersionPolicy Parse(ReadOnlyMemory<byte> json) => PolicyJson.Read(json);
}
