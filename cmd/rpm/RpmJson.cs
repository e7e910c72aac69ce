using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rpm;

namespace Layerbox.Cmd.Rpms;

/// <summary>The lines of rpm-show.</summary>
internal sealed class RpmJson(JsonLineWriter lines)
{
    private static readonly JsonEncodedText s_path = JsonEncodedText.Encode("path"), s_path64 = JsonEncodedText.Encode("path_b64");
    private static readonly JsonEncodedText s_target = JsonEncodedText.Encode("target"), s_target64 = JsonEncodedText.Encode("target_b64");

    private static readonly (RpmTag Tag, string Name)[] s_texts =
    [
        (RpmTag.Summary, "summary"), (RpmTag.Description, "description"), (RpmTag.License, "license"), (RpmTag.Group, "group"), (RpmTag.Url, "url"),
        (RpmTag.Vendor, "vendor"), (RpmTag.Packager, "packager"), (RpmTag.Distribution, "distribution"), (RpmTag.SourceRpm, "source_rpm"),
        (RpmTag.BuildHost, "build_host"), (RpmTag.ModularityLabel, "modularity_label"),
    ];

    private static readonly (RpmTag Tag, string Name)[] s_signatures =
    [
        (RpmTag.RsaHeader, "rsa"), (RpmTag.DsaHeader, "dsa"), (RpmTag.OpenPgp, "openpgp"), (RpmSignatureTag.Pgp, "pgp"), (RpmSignatureTag.Gpg, "gpg"),
    ];

    private static readonly (RpmFileFlags Flag, string Name)[] s_fileFlags =
    [
        (RpmFileFlags.Config, "config"), (RpmFileFlags.Doc, "doc"), (RpmFileFlags.Icon, "icon"), (RpmFileFlags.MissingOk, "missingok"),
        (RpmFileFlags.NoReplace, "noreplace"), (RpmFileFlags.SpecFile, "specfile"), (RpmFileFlags.Ghost, "ghost"), (RpmFileFlags.License, "license"),
        (RpmFileFlags.Readme, "readme"), (RpmFileFlags.PubKey, "pubkey"), (RpmFileFlags.Artifact, "artifact"),
    ];

    private static readonly (RpmSense Sense, string Name)[] s_moments =
    [
        (RpmSense.Prereq, "prereq"), (RpmSense.PreTrans, "pretrans"), (RpmSense.Interpreter, "interp"), (RpmSense.ScriptPre, "pre"),
        (RpmSense.ScriptPost, "post"), (RpmSense.ScriptPreUn, "preun"), (RpmSense.ScriptPostUn, "postun"), (RpmSense.ScriptVerify, "verify"),
        (RpmSense.PostTrans, "posttrans"), (RpmSense.RpmLib, "rpmlib"), (RpmSense.Config, "config"), (RpmSense.MissingOk, "missingok"),
    ];

    // By the numbers of RpmType.
    private static readonly string[] s_types = ["null", "char", "int8", "int16", "int32", "int64", "string", "bin", "string_array", "i18n_string"];

    private readonly Utf8JsonWriter _json = lines.Json;
    private string _nevra = "";

    public void WritePackage(RpmPackage package, string file)
    {
        RpmHeader header = package.Header;
        Nevra nevra = Nevra.Of(package);
        _nevra = nevra.ToString();
        lines.StartLine();
        _json.WriteString("record", "package");
        _json.WriteString("file", PathText.Printable(file));
        _json.WriteString("nevra", _nevra);
        _json.WriteString("name", nevra.Name);
        WriteNumber("epoch", header.Number(RpmTag.Epoch));
        _json.WriteString("version", nevra.Evr.Version);
        _json.WriteString("release", nevra.Evr.Release);
        _json.WriteString("arch", nevra.Arch);
        foreach ((RpmTag tag, string name) in s_texts)
            WriteText(name, header.Text(tag));
        WriteNumber("build_time", header.Number(RpmTag.BuildTime));
        WriteNumber("size", header.Number(RpmTag.LongSize) ?? header.Number(RpmTag.Size));
        _json.WriteNumber("files", Math.Max(header.Count(RpmTag.BaseNames), header.Count(RpmTag.OldFileNames)));
        WriteText("header_digest", Digest("sha256", package.Signature.Text(RpmTag.Sha256Header)) ?? Digest("sha1", package.Signature.Text(RpmTag.Sha1Header)));
        _json.WriteNumber("header_offset", package.HeaderOffset);
        WritePayload(package);
        _json.WriteStartArray("signatures");
        foreach ((RpmTag tag, string name) in s_signatures)
            if (package.Signature.Has(tag))
                _json.WriteStringValue(name);
        _json.WriteEndArray();
        lines.EndLine();
    }

    /// <summary>A package as a repository's metadata has it; the members have the same names.</summary>
    public void WritePackage(PrimaryPackage package, bool withRelations)
    {
        _nevra = package.Nevra.ToString();
        lines.StartLine();
        _json.WriteString(Members.Record, Members.Package);
        _json.WriteString(Members.Nevra, _nevra);
        _json.WriteString(Members.Name, package.Nevra.Name);
        WriteNumber(Members.Epoch, package.Nevra.Evr.Epoch == 0 ? null : package.Nevra.Evr.Epoch);
        _json.WriteString(Members.Version, package.Nevra.Evr.Version);
        _json.WriteString(Members.Release, package.Nevra.Evr.Release);
        _json.WriteString(Members.Arch, package.Nevra.Arch);
        WriteText(Members.SourceRpm, package.SourceRpm);
        WriteNumber(Members.BuildTime, (ulong?)package.BuildTime);
        WriteNumber(Members.Size, (ulong?)package.InstalledSize);
        WriteText(Members.Checksum, package.Checksum.ToString());
        WriteLocation(package.Location);
        WriteNumber(Members.PackageSize, (ulong?)package.PackageSize);
        WriteNumber(Members.HeaderOffset, (ulong?)package.HeaderStart);
        _json.WriteStartObject(Members.Payload);
        WriteNumber(Members.Offset, (ulong?)package.HeaderEnd);
        WriteNumber(Members.ArchiveSize, (ulong?)package.ArchiveSize);
        _json.WriteEndObject();
        lines.EndLine();
        if (withRelations)
            foreach (RpmDependency relation in package.Relations)
                WriteDependency(relation);
    }

    public void WriteRepomd(Repomd repomd, string file)
    {
        lines.StartLine();
        _json.WriteString("record", "repomd");
        _json.WriteString("file", PathText.Printable(file));
        WriteText("revision", repomd.Revision);
        lines.EndLine();
        foreach (RepomdData data in repomd.Data)
        {
            lines.StartLine();
            _json.WriteString("record", "data");
            _json.WriteString("type", data.Type);
            _json.WriteString("checksum", data.Checksum.ToString());
            WriteText("open_checksum", data.OpenChecksum?.ToString());
            WriteText("header_checksum", data.HeaderChecksum?.ToString());
            WriteLocation(data.Location);
            WriteNumber("size", (ulong?)data.Size);
            WriteNumber("open_size", (ulong?)data.OpenSize);
            WriteNumber("header_size", (ulong?)data.HeaderSize);
            if (data.Timestamp is { } time)
                _json.WriteNumber("timestamp", time);
            lines.EndLine();
        }
    }

    private void WriteLocation(RepoLocation location)
    {
        _json.WriteString(Members.Location, location.Href);
        WriteText("base", location.Base);
        if (location.Place != RepoPlace.Inside)
            _json.WriteString("place", location.Place == RepoPlace.Outside ? "outside" : "elsewhere");
    }

    private void WritePayload(RpmPackage package)
    {
        RpmHeader header = package.Header;
        _json.WriteStartObject("payload");
        _json.WriteNumber("offset", package.PayloadOffset);
        if (package.PackedSize is { } all)
            _json.WriteNumber("size", all - package.Header.Size);
        WriteNumber("archive_size", (ulong?)package.ArchiveSize);
        WriteText("format", header.Text(RpmTag.PayloadFormat));
        WriteText("compressor", header.Text(RpmTag.PayloadCompressor));
        WriteText("flags", header.Text(RpmTag.PayloadFlags));
        string algorithm = RpmDigest.NameOf((RpmDigestAlgorithm)(header.Number(RpmTag.PayloadDigestAlgorithm) ?? (ulong)RpmDigestAlgorithm.Sha256));
        WriteText("digest", Digest(algorithm, header.Text(RpmTag.PayloadDigest)));
        WriteText("archive_digest", Digest(algorithm, header.Text(RpmTag.PayloadDigestAlt)));
        _json.WriteEndObject();
    }

    public void WriteDependency(RpmDependency relation)
    {
        Start("dependency");
        _json.WriteString("kind", NameOf(relation.Kind));
        WriteRelation(relation);
        lines.EndLine();
    }

    private void WriteRelation(RpmDependency relation)
    {
        _json.WriteString("name", relation.Name);
        if (relation.Operator.Length > 0)
        {
            _json.WriteString("op", relation.Operator);
            _json.WriteString("version", relation.Version);
        }
        WriteNames("when", s_moments.Where(moment => (relation.Sense & moment.Sense) != 0).Select(moment => moment.Name));
    }

    public void WriteScript(RpmScript script)
    {
        Start("script");
        _json.WriteString("kind", script.Kind);
        WriteNames("interpreter", script.Interpreter);
        WriteText("text", script.Text);
        WriteNumber("priority", script.Priority);
        if (script.Conditions.Count > 0)
        {
            _json.WriteStartArray("conditions");
            foreach (RpmDependency condition in script.Conditions)
            {
                _json.WriteStartObject();
                WriteRelation(condition);
                _json.WriteEndObject();
            }
            _json.WriteEndArray();
        }
        lines.EndLine();
    }

    public void WriteFile(RpmFile file, RpmPackage package)
    {
        Start("file");
        lines.WriteBytes(s_path, s_path64, file.Path);
        _json.WriteString("type", file.KindName);
        _json.WriteString("mode", Octal(file.Mode & 0xFFF));
        _json.WriteString("user", file.User);
        _json.WriteString("group", file.Group);
        _json.WriteNumber("mtime", file.ModificationTime);
        if (file.IsRegular)
        {
            _json.WriteNumber("size", file.Size);
            WriteText("digest", Digest(RpmDigest.NameOf(RpmFileList.DigestAlgorithm(package)), file.Digest));
        }
        if (file.IsSymlink)
            lines.WriteBytes(s_target, s_target64, file.Target);
        if (file.IsDevice)
        {
            _json.WriteNumber("major", file.DeviceMajor);
            _json.WriteNumber("minor", file.DeviceMinor);
        }
        WriteNames("flags", s_fileFlags.Where(flag => (file.Flags & flag.Flag) != 0).Select(flag => flag.Name));
        WriteText("capabilities", file.Capabilities.Length > 0 ? file.Capabilities : null);
        WriteText("language", file.Language.Length > 0 ? file.Language : null);
        lines.EndLine();
    }

    public void WriteTags(RpmPackage package)
    {
        foreach (RpmHeader header in (RpmHeader[])[package.Signature, package.Header])
            foreach (RpmEntry entry in header.Entries)
                WriteTag(header, entry);
    }

    private void WriteTag(RpmHeader header, RpmEntry entry)
    {
        Start("tag");
        _json.WriteString("header", header.Kind == RpmHeaderKind.Signature ? "signature" : "main");
        _json.WriteNumber("tag", (int)entry.Tag);
        _json.WriteString("name", RpmTagNames.Of(entry.Tag, header.Kind));
        _json.WriteString("type", s_types[(int)entry.Type]);
        if (entry.Type == RpmType.Bin)
            _json.WriteBase64String("value_b64", header.BytesOf(entry));
        else
        {
            _json.WriteStartArray("values");
            if (RpmHeader.IsNumber(entry.Type))
                for (int i = 0; i < entry.Count; i++)
                    _json.WriteNumberValue(header.NumberAt(entry, i));
            else
            {
                RpmStrings strings = header.StringsOf(entry);
                for (int i = 0; i < strings.Count; i++)
                    _json.WriteStringValue(strings.Text(i));
            }
            _json.WriteEndArray();
        }
        lines.EndLine();
    }

    private void Start(string record)
    {
        lines.StartLine();
        _json.WriteString("record", record);
        _json.WriteString("package", _nevra);
    }

    private static string NameOf(RpmDependencyKind kind) => kind switch
    {
        RpmDependencyKind.Provides => "provides",
        RpmDependencyKind.Requires => "requires",
        RpmDependencyKind.Conflicts => "conflicts",
        RpmDependencyKind.Obsoletes => "obsoletes",
        RpmDependencyKind.Recommends => "recommends",
        RpmDependencyKind.Suggests => "suggests",
        RpmDependencyKind.Supplements => "supplements",
        _ => "enhances",
    };

    private static string? Digest(string algorithm, string? digits) => string.IsNullOrEmpty(digits) ? null : $"{algorithm}:{digits}";

    private static string Octal(uint mode) => Convert.ToString(mode, 8).PadLeft(4, '0');

    private void WriteText(JsonEncodedText name, string? text)
    {
        if (text is not null)
            _json.WriteString(name, text);
    }

    private void WriteNumber(JsonEncodedText name, ulong? number)
    {
        if (number is { } known)
            _json.WriteNumber(name, known);
    }

    private void WriteText(string name, string? text)
    {
        if (text is not null)
            _json.WriteString(name, text);
    }

    private void WriteNumber(string name, ulong? number)
    {
        if (number is { } known)
            _json.WriteNumber(name, known);
    }

    private void WriteNames(string name, IEnumerable<string> values)
    {
        bool any = false;
        foreach (string value in values)
        {
            if (!any)
                _json.WriteStartArray(name);
            any = true;
            _json.WriteStringValue(value);
        }
        if (any)
            _json.WriteEndArray();
    }

    /// <summary>What stands in each of the tens of thousands of lines of a primary.xml, encoded once.</summary>
    private static class Members
    {
        public static readonly JsonEncodedText
            Record = JsonEncodedText.Encode("record"),
            Package = JsonEncodedText.Encode("package"),
            Nevra = JsonEncodedText.Encode("nevra"),
            Name = JsonEncodedText.Encode("name"),
            Epoch = JsonEncodedText.Encode("epoch"),
            Version = JsonEncodedText.Encode("version"),
            Release = JsonEncodedText.Encode("release"),
            Arch = JsonEncodedText.Encode("arch"),
            SourceRpm = JsonEncodedText.Encode("source_rpm"),
            BuildTime = JsonEncodedText.Encode("build_time"),
            Size = JsonEncodedText.Encode("size"),
            Checksum = JsonEncodedText.Encode("checksum"),
            Location = JsonEncodedText.Encode("location"),
            PackageSize = JsonEncodedText.Encode("package_size"),
            HeaderOffset = JsonEncodedText.Encode("header_offset"),
            Payload = JsonEncodedText.Encode("payload"),
            Offset = JsonEncodedText.Encode("offset"),
            ArchiveSize = JsonEncodedText.Encode("archive_size");
    }
}
