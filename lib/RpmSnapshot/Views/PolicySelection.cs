using System.Globalization;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>What a policy makes of packages: which are left out and why, or why it cannot be followed.</summary>
internal sealed class PolicySelection
{
    private readonly VersionPolicy _policy;
    private readonly Dictionary<PolicyPackage, string> _leftOut = [];
    private readonly List<string> _refusals = [];
    private List<PolicyPackage> _left;

    private PolicySelection(VersionPolicy policy, List<PolicyPackage> packages) => (_policy, _left) = (policy, packages);

    /// <summary>Packages that are not in the view, and the rule that took each away.</summary>
    public IReadOnlyDictionary<PolicyPackage, string> LeftOut => _leftOut;

    /// <summary>What is asked for and cannot be had, a line each; empty when there is a view.</summary>
    public IReadOnlyList<string> Refusals => _refusals;

    public static PolicySelection Of(VersionPolicy policy, List<PolicyPackage> packages)
    {
        PolicySelection selection = new(policy, packages);
        selection.Run();
        return selection;
    }

    private void Run()
    {
        if (_policy.AsOf is { } date)
            Keep(package => package.BuildTime is not { } built ? "when it was built is not known"
                : built <= date.ToUnixTimeSeconds() ? null : string.Create(CultureInfo.InvariantCulture, $"built {DateTimeOffset.FromUnixTimeSeconds(Math.Min(built, MaxTime)):yyyy-MM-dd'T'HH:mm:ssZ}, after as_of"));
        Keep(package => _policy.Deny.FirstOrDefault(rule => rule.Matches(package)) is { } denied ? $"denied: {denied}" : null);
        if (_policy.Allow is { } allowed)
            Keep(package => allowed.Any(rule => rule.Matches(package)) ? null : "no rule allows it");
        foreach (PackageRule pin in _policy.Pin)
            Pin(pin);
        foreach (PolicyGroup group in _policy.Groups)
            Choose(group);
        if (_policy.Newest is { } count)
            KeepNewest(count);
    }

    private const long MaxTime = 253402300799; // the last second of the year 9999

    private void Keep(Func<PolicyPackage, string?> reason)
    {
        List<PolicyPackage> left = [];
        foreach (PolicyPackage package in _left)
            if (reason(package) is { } why)
                _leftOut.Add(package, why);
            else
                left.Add(package);
        _left = left;
    }

    /// <summary>Every name that the pin speaks of must have the version, in one architecture at least.</summary>
    private void Pin(PackageRule pin)
    {
        List<PolicyPackage> concerned = [.. _left.Where(pin.Concerns)];
        if (concerned.Count == 0)
            _refusals.Add($"pin {pin}: {Absent(_leftOut.Keys.Where(pin.Matches), "there is no such package")}");
        foreach (Group<string, PolicyPackage> name in concerned.GroupBy(package => package.Nevra.Name, StringComparer.Ordinal))
            if (!name.Any(pin.Matches))
                _refusals.Add($"pin {pin}: {Absent(_leftOut.Keys.Where(package => package.Nevra.Name == name.Key && pin.Matches(package)), $"of {name.Key} there is only {Versions(name)}")}");
        Keep(package => pin.Concerns(package) && !pin.Matches(package) ? $"pinned: {pin}" : null);
    }

    private string Absent(IEnumerable<PolicyPackage> leftOut, string otherwise) =>
        leftOut.FirstOrDefault() is { } package ? $"{package.Nevra} is left out by another rule: {_leftOut[package]}" : otherwise;

    private static string Versions(IEnumerable<PolicyPackage> packages)
    {
        const int Most = 5;
        List<Evr> versions = [.. packages.Select(package => package.Nevra.Evr).Distinct().OrderDescending()];
        return string.Join(", ", versions.Take(Most)) + (versions.Count > Most ? string.Create(CultureInfo.InvariantCulture, $" and {versions.Count - Most} older") : "");
    }

    /// <summary>The newest version that all members have is the group's.</summary>
    private void Choose(PolicyGroup group)
    {
        List<PolicyPackage> members = [.. _left.Where(package => group.Members.Any(rule => rule.Concerns(package)))];
        List<string> required = [.. group.Members.Select(rule => rule.Name).Where(name => !NamePattern.IsPattern(name))];
        if (members.Find(package => KeyOf(group, package) is null) is { } unknown)
        {
            _refusals.Add($"group {group.Name}: {unknown.Nevra}: the metadata does not say which source package it was built from");
            return;
        }
        List<Group<string, PolicyPackage>> versions = [.. members.GroupBy(package => KeyOf(group, package)!, StringComparer.Ordinal)
            .OrderByDescending(version => version.Max(package => package.Nevra.Evr)).ThenBy(version => version.Key, StringComparer.Ordinal)];
        if (versions.Find(version => Lacks(required, version).Count == 0) is not { } chosen)
        {
            _refusals.Add($"group {group.Name}: {(versions is [var newest, ..] ? $"no {What(group)} has all members: the newest, {newest.Key}, lacks {string.Join(", ", Lacks(required, newest))}" : "there is none of its members")}");
            return;
        }
        HashSet<PolicyPackage> others = [.. members];
        others.ExceptWith(chosen);
        Keep(package => others.Contains(package) ? $"the group {group.Name} is at {chosen.Key}" : null);
    }

    private static List<string> Lacks(List<string> required, IEnumerable<PolicyPackage> packages)
    {
        HashSet<string> there = [.. packages.Select(package => package.Nevra.Name)];
        return [.. required.Where(name => !there.Contains(name))];
    }

    private static string What(PolicyGroup group) => group.ByVersion ? "version" : "source package";

    private static string? KeyOf(PolicyGroup group, PolicyPackage package) => group.ByVersion ? package.Nevra.Evr.ToString() : package.Source;

    private void KeepNewest(int count)
    {
        HashSet<PolicyPackage> old = [];
        foreach (Group<(string Name, string Arch), PolicyPackage> versions in _left.GroupBy(package => (package.Nevra.Name, package.Nevra.Arch)))
        {
            List<Evr> newest = [.. versions.Select(package => package.Nevra.Evr).Distinct().OrderDescending().Take(count)];
            old.UnionWith(versions.Where(package => !newest.Contains(package.Nevra.Evr)));
        }
        Keep(package => old.Contains(package) ? (count == 1 ? "not the newest" : string.Create(CultureInfo.InvariantCulture, $"not among the newest {count}")) : null);
    }
}
