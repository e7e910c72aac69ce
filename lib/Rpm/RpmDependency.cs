using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>What kind of relation to other packages.</summary>
public enum RpmDependencyKind
{
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Suggests,
    Supplements,
    Enhances,
}

/// <summary>Which versions a dependency means, and when it must be met (rpmds.h: rpmsenseFlags).</summary>
[Flags]
public enum RpmSense : uint
{
    Any = 0,
    Less = 1 << 1,
    Greater = 1 << 2,
    Equal = 1 << 3,
    Prereq = 1 << 6,
    PreTrans = 1 << 7,
    Interpreter = 1 << 8,
    ScriptPre = 1 << 9,
    ScriptPost = 1 << 10,
    ScriptPreUn = 1 << 11,
    ScriptPostUn = 1 << 12,
    ScriptVerify = 1 << 13,
    FindRequires = 1 << 14,
    FindProvides = 1 << 15,
    TriggerIn = 1 << 16,
    TriggerUn = 1 << 17,
    TriggerPostUn = 1 << 18,
    MissingOk = 1 << 19,
    PostTrans = 1 << 22,
    RpmLib = 1 << 24,
    TriggerPreIn = 1 << 25,
    Config = 1 << 28,
}

/// <summary>One relation to other packages.</summary>
/// <param name="Kind">Which relation.</param>
/// <param name="Name">A package, capability or file; a rich dependency such as "(a if b)" stays as it is.</param>
/// <param name="Sense">Which versions, and when.</param>
/// <param name="Version">"epoch:version-release" as the package has it; empty for any.</param>
public sealed record RpmDependency(RpmDependencyKind Kind, string Name, RpmSense Sense, string Version)
{
    private static readonly (RpmTag Name, RpmTag Flags, RpmTag Version)[] s_tags =
    [
        (RpmTag.ProvideName, RpmTag.ProvideFlags, RpmTag.ProvideVersion),
        (RpmTag.RequireName, RpmTag.RequireFlags, RpmTag.RequireVersion),
        (RpmTag.ConflictName, RpmTag.ConflictFlags, RpmTag.ConflictVersion),
        (RpmTag.ObsoleteName, RpmTag.ObsoleteFlags, RpmTag.ObsoleteVersion),
        (RpmTag.RecommendName, RpmTag.RecommendFlags, RpmTag.RecommendVersion),
        (RpmTag.SuggestName, RpmTag.SuggestFlags, RpmTag.SuggestVersion),
        (RpmTag.SupplementName, RpmTag.SupplementFlags, RpmTag.SupplementVersion),
        (RpmTag.EnhanceName, RpmTag.EnhanceFlags, RpmTag.EnhanceVersion),
    ];

    /// <summary>"&lt;", "&lt;=", "=", "&gt;=", "&gt;"; empty for any version.</summary>
    public string Operator => (Sense & (RpmSense.Less | RpmSense.Greater | RpmSense.Equal)) switch
    {
        RpmSense.Less => "<",
        RpmSense.Less | RpmSense.Equal => "<=",
        RpmSense.Equal => "=",
        RpmSense.Greater | RpmSense.Equal => ">=",
        RpmSense.Greater => ">",
        _ => "",
    };

    /// <summary>As rpm prints it: "name", or "name &gt;= 1:2-3".</summary>
    public override string ToString() => Operator.Length == 0 ? Name : $"{Name} {Operator} {Version}";

    /// <summary>All relations of one kind, in the order of the header.</summary>
    /// <exception cref="InvalidDataException">The header's lists do not fit together.</exception>
    public static IEnumerable<RpmDependency> Read(RpmHeader header, RpmDependencyKind kind)
    {
        (RpmTag nameTag, RpmTag flagsTag, RpmTag versionTag) = s_tags[(int)kind];
        RpmStrings names = header.Strings(nameTag), versions = header.Strings(versionTag);
        ulong[] flags = header.Numbers(flagsTag);
        Check(flagsTag, flags.Length);
        Check(versionTag, versions.Count);
        for (int i = 0; i < names.Count; i++)
            yield return new RpmDependency(kind, names.Text(i), flags.Length > 0 ? (RpmSense)flags[i] : RpmSense.Any, versions.Count > 0 ? versions.Text(i) : "");

        void Check(RpmTag tag, int count)
        {
            if (count != 0 && count != names.Count)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"{RpmFormat.NameOf(RpmHeaderKind.Main)}: {RpmTagNames.Of(tag, RpmHeaderKind.Main)}: {count} values for {names.Count} names"));
        }
    }
}
