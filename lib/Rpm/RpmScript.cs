using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>A program that a package wants to be run.</summary>
/// <param name="Kind">When: "pre", "post", "preun", "postun", "pretrans", "posttrans", "verify"; with conditions "triggerin" and so on.</param>
/// <param name="Interpreter">The program and its arguments that run the text; "&lt;lua&gt;" is rpm's own.</param>
/// <param name="Text">What is run; null when the interpreter alone is (<c>%post -p /sbin/ldconfig</c>).</param>
public sealed record RpmScript(string Kind, IReadOnlyList<string> Interpreter, string? Text)
{
    /// <summary>The packages or path prefixes whose coming and going run a trigger.</summary>
    public IReadOnlyList<RpmDependency> Conditions { get; init; } = [];

    /// <summary>Of file triggers: higher ones run earlier.</summary>
    public uint? Priority { get; init; }

    private static readonly (string Kind, RpmTag Text, RpmTag Interpreter)[] s_scriptlets =
    [
        ("pretrans", RpmTag.PreTrans, RpmTag.PreTransProg),
        ("pre", RpmTag.PreIn, RpmTag.PreInProg),
        ("post", RpmTag.PostIn, RpmTag.PostInProg),
        ("preun", RpmTag.PreUn, RpmTag.PreUnProg),
        ("postun", RpmTag.PostUn, RpmTag.PostUnProg),
        ("posttrans", RpmTag.PostTrans, RpmTag.PostTransProg),
        ("verify", RpmTag.VerifyScript, RpmTag.VerifyScriptProg),
    ];

    private sealed record TriggerTags(string Prefix, RpmTag Texts, RpmTag Interpreters, RpmTag Names, RpmTag Versions, RpmTag Flags, RpmTag Indexes, RpmTag Priorities);

    private static readonly TriggerTags[] s_triggers =
    [
        new("trigger", RpmTag.TriggerScripts, RpmTag.TriggerScriptProg, RpmTag.TriggerName, RpmTag.TriggerVersion, RpmTag.TriggerFlags, RpmTag.TriggerIndex, 0),
        new("filetrigger", RpmTag.FileTriggerScripts, RpmTag.FileTriggerScriptProg, RpmTag.FileTriggerName, RpmTag.FileTriggerVersion, RpmTag.FileTriggerFlags, RpmTag.FileTriggerIndex, RpmTag.FileTriggerPriorities),
        new("transfiletrigger", RpmTag.TransFileTriggerScripts, RpmTag.TransFileTriggerScriptProg, RpmTag.TransFileTriggerName, RpmTag.TransFileTriggerVersion, RpmTag.TransFileTriggerFlags, RpmTag.TransFileTriggerIndex, RpmTag.TransFileTriggerPriorities),
    ];

    /// <summary>All of a package, scriptlets first.</summary>
    /// <exception cref="InvalidDataException">The header's lists do not fit together.</exception>
    public static IEnumerable<RpmScript> Read(RpmHeader header)
    {
        foreach ((string kind, RpmTag text, RpmTag interpreter) in s_scriptlets)
            if (header.Has(text) || header.Has(interpreter))
                yield return new RpmScript(kind, Texts(header.Strings(interpreter)), header.Text(text));
        foreach (TriggerTags tags in s_triggers)
            foreach (RpmScript trigger in ReadTriggers(header, tags))
                yield return trigger;
    }

    // Several conditions may point to one script; the sense of the first says what kind of trigger it is, as rpmbuild writes them all alike.
    private static IEnumerable<RpmScript> ReadTriggers(RpmHeader header, TriggerTags tags)
    {
        RpmStrings texts = header.Strings(tags.Texts), interpreters = header.Strings(tags.Interpreters);
        RpmStrings names = header.Strings(tags.Names), versions = header.Strings(tags.Versions);
        ulong[] flags = header.Numbers(tags.Flags), indexes = header.Numbers(tags.Indexes), priorities = header.Numbers(tags.Priorities);
        if (versions.Count != names.Count || flags.Length != names.Count || indexes.Length != names.Count)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"header: {tags.Prefix}s: {names.Count} names, {versions.Count} versions, {flags.Length} flags, {indexes.Length} scripts"));
        List<RpmDependency>[] conditions = [.. Enumerable.Range(0, texts.Count).Select(_ => new List<RpmDependency>())];
        for (int i = 0; i < names.Count; i++)
        {
            if (indexes[i] >= (ulong)texts.Count)
                throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"header: {tags.Prefix}s: script {indexes[i]} of {texts.Count}"));
            conditions[(int)indexes[i]].Add(new RpmDependency(RpmDependencyKind.Requires, names.Text(i), (RpmSense)flags[i], versions.Text(i)));
        }
        for (int i = 0; i < texts.Count; i++)
        {
            RpmSense sense = conditions[i].Count > 0 ? conditions[i][0].Sense : RpmSense.Any;
            yield return new RpmScript(tags.Prefix + Moment(sense), i < interpreters.Count ? [interpreters.Text(i)] : [], texts[i].IsEmpty ? null : texts.Text(i))
            {
                Conditions = conditions[i],
                Priority = i < priorities.Length ? (uint)priorities[i] : null,
            };
        }
    }

    private static string Moment(RpmSense sense) =>
        (sense & RpmSense.TriggerPreIn) != 0 ? "prein"
        : (sense & RpmSense.TriggerIn) != 0 ? "in"
        : (sense & RpmSense.TriggerUn) != 0 ? "un"
        : (sense & RpmSense.TriggerPostUn) != 0 ? "postun"
        : "";

    private static List<string> Texts(RpmStrings strings) => [.. Enumerable.Range(0, strings.Count).Select(strings.Text)];
}
