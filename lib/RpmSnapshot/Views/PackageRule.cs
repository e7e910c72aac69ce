using System.Buffers;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>Which packages a rule of a policy speaks of. What is null is any.</summary>
/// <param name="Name">A name, or a pattern with <c>*</c> and <c>?</c>.</param>
/// <param name="Evr">Which versions.</param>
/// <param name="Arch">A name or pattern.</param>
/// <param name="Repo">A name or pattern.</param>
internal sealed record PackageRule(string Name, EvrRule? Evr, string? Arch, string? Repo)
{
    public bool Matches(PolicyPackage package) => Concerns(package) && Evr?.Matches(package.Nevra.Evr) != false;

    /// <summary>Whether it speaks of this package in any version.</summary>
    public bool Concerns(PolicyPackage package) =>
        NamePattern.Matches(Name, package.Nevra.Name)
        && (Arch is null || NamePattern.Matches(Arch, package.Nevra.Arch))
        && (Repo is null || NamePattern.Matches(Repo, package.Repo));

    /// <summary>"bash.x86_64 >= 5.1 in base".</summary>
    public override string ToString() => $"{Name}{(Arch is null ? "" : $".{Arch}")}{(Evr is null ? "" : $" {Evr}")}{(Repo is null ? "" : $" in {Repo}")}";
}

/// <summary>Versions, as a dependency names them: a missing epoch is 0, a missing release is any.</summary>
internal sealed record EvrRule(string Operator, Evr Evr)
{
    private static readonly SearchValues<char> s_noVersion = SearchValues.Create(" \t<>=*?");
    private static readonly string[] s_operators = ["<=", ">=", "<", ">", "="];

    /// <summary>Reads "5.1-2", "1:5.1", "&lt; 5.1" and the like.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static EvrRule Parse(string text)
    {
        string sign = s_operators.FirstOrDefault(sign => text.StartsWith(sign, StringComparison.Ordinal)) ?? "";
        string version = text[sign.Length..].Trim();
        Evr evr = Evr.Parse(version);
        if (evr.Version.Length == 0 || version.AsSpan().ContainsAny(s_noVersion))
            throw new FormatException($"'{text}' is no version such as 5.1-2, 1:5.1 or '< 5.1'");
        return new EvrRule(sign.Length == 0 ? "=" : sign, evr);
    }

    public bool Matches(Evr other)
    {
        int order = (Evr.Release.Length == 0 ? other with { Release = "" } : other).CompareTo(Evr);
        return Operator switch
        {
            "<" => order < 0,
            "<=" => order <= 0,
            "=" => order == 0,
            ">=" => order >= 0,
            _ => order > 0,
        };
    }

    public override string ToString() => Operator == "=" ? Evr.ToString() : $"{Operator} {Evr}";
}

/// <summary>A package as policies see it.</summary>
/// <param name="Repo">The repository that has it.</param>
/// <param name="Index">Its place in that repository's metadata.</param>
/// <param name="Source">The source package it was built from, or that it is; null when that is not said.</param>
/// <param name="BuildTime">Seconds since 1970.</param>
internal sealed record PolicyPackage(string Repo, int Index, Nevra Nevra, string? Source, long? BuildTime)
{
    public static PolicyPackage Of(string repo, int index, PrimaryPackage package) =>
        new(repo, index, package.Nevra, package.Nevra.Arch is "src" or "nosrc" ? $"{package.Nevra.Name}-{package.Nevra.Evr with { Epoch = 0 }}.{package.Nevra.Arch}.rpm" : package.SourceRpm, package.BuildTime);
}
