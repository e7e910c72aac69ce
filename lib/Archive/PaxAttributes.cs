using System.Buffers.Text;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>What extended headers say about a member, over and above its header block. Null: nothing.</summary>
internal sealed class PaxAttributes
{
    private Dictionary<string, Xattr>? _xattrs;

    // bsdtar writes each attribute twice, and this time with all bytes of odd names and values intact.
    private Dictionary<string, Xattr>? _exactXattrs;

    private Dictionary<string, Xattr>? _acls;

    public byte[]? Path { get; private set; }
    public byte[]? LinkPath { get; private set; }
    public long? Size { get; private set; }
    public uint? Uid { get; private set; }
    public uint? Gid { get; private set; }
    public Timestamp? ModificationTime { get; private set; }
    public byte[]? UserName { get; private set; }
    public byte[]? GroupName { get; private set; }

    /// <summary>GNU.sparse.major; 1 when the map of a sparse file stands before its data.</summary>
    public long? SparseMajor { get; private set; }

    /// <summary>The real size of a sparse file.</summary>
    public long? SparseSize { get; private set; }

    /// <summary>The real name of a sparse file: "path" then has one that says so to tars which know nothing of it.</summary>
    public byte[]? SparseName { get; private set; }

    /// <summary>Offset and length of run after run, when the map of a sparse file stands in the header.</summary>
    public List<long>? SparseMap { get; private set; }

    public bool IsSparse => SparseMajor is not null || SparseSize is not null || SparseMap is not null;

    /// <summary>The permission bits that an access control list stands for; the group's are those of its mask.</summary>
    public uint? AclMode { get; private set; }

    public XattrSet Xattrs
    {
        get
        {
            Dictionary<string, Xattr>? xattrs = _exactXattrs ?? _xattrs;
            if (_acls is null)
                return xattrs is null ? XattrSet.Empty : XattrSet.From(xattrs.Values);
            return XattrSet.From((xattrs ?? []).Where(xattr => !_acls.ContainsKey(xattr.Key)).Concat(_acls).Select(xattr => xattr.Value));
        }
    }

    public PaxAttributes Copy()
    {
        PaxAttributes copy = (PaxAttributes)MemberwiseClone();
        copy._xattrs = _xattrs is null ? null : new(_xattrs);
        copy._exactXattrs = _exactXattrs is null ? null : new(_exactXattrs);
        copy._acls = _acls is null ? null : new(_acls);
        copy.SparseMap = SparseMap is null ? null : [.. SparseMap];
        return copy;
    }

    /// <summary>Takes the records of one extended header, which override what was said before.</summary>
    /// <param name="records">"LENGTH KEY=VALUE\n", the length counting the whole record in decimal.</param>
    public void Apply(ReadOnlySpan<byte> records)
    {
        while (!records.IsEmpty)
        {
            if (!Utf8Parser.TryParse(records, out int length, out int digits) || records.Length <= digits || records[digits] != ' ')
                throw new TarDefect($"an extended header record starts with '{BytesText.Escape(records[..Math.Min(records.Length, 20)])}' and not with its length");
            if (length <= digits + 1 || length > records.Length)
                throw new TarDefect($"an extended header record claims {length} bytes where {records.Length} are left");
            ReadOnlySpan<byte> record = records[(digits + 1)..length];
            int equals = record.IndexOf((byte)'=');
            if (record[^1] != '\n' || equals < 1)
                throw new TarDefect($"an extended header record is not 'key=value': '{BytesText.Escape(record[..Math.Min(record.Length, 40)])}'");
            ApplyRecord(Encoding.Latin1.GetString(record[..equals]), record[(equals + 1)..^1]);
            records = records[length..];
        }
    }

    private void ApplyRecord(string key, ReadOnlySpan<byte> value)
    {
        switch (key)
        {
            case "path": Path = Text(value); break;
            case "linkpath": LinkPath = Text(value); break;
            case "size": Size = OptionalNumber(key, value); break;
            case "uid": Uid = OptionalNumber(key, value) is { } uid ? TarHeader.Id(uid, key) : null; break;
            case "gid": Gid = OptionalNumber(key, value) is { } gid ? TarHeader.Id(gid, key) : null; break;
            case "mtime": ModificationTime = value.IsEmpty ? null : Time(value); break;
            case "uname": UserName = Text(value); break;
            case "gname": GroupName = Text(value); break;
            case "GNU.sparse.major": SparseMajor = OptionalNumber(key, value); break;
            case "GNU.sparse.size" or "GNU.sparse.realsize": SparseSize = OptionalNumber(key, value); break;
            case "GNU.sparse.name": SparseName = Text(value); break;
            case "GNU.sparse.offset" or "GNU.sparse.numbytes": AddToSparseMap(key, value); break;
            case "GNU.sparse.map": SetSparseMap(value); break;
            case "SCHILY.acl.access": SetAccessAcl(value); break;
            case "SCHILY.acl.default": SetDefaultAcl(value); break;
            case "RHT.security.selinux": SetXattr(ref _xattrs, "security.selinux", [.. value, 0]); break;
            default:
                if (key.StartsWith(TarFormat.XattrPrefix, StringComparison.Ordinal))
                    SetXattr(ref _xattrs, UnescapeXattrName(key[TarFormat.XattrPrefix.Length..]), value.ToArray());
                else if (key.StartsWith("LIBARCHIVE.xattr.", StringComparison.Ordinal))
                    SetLibarchiveXattr(key["LIBARCHIVE.xattr.".Length..], value);
                break; // Others (atime, comment, charset, SCHILY.dev...) say nothing about the state of a tree.
        }
    }

    private static byte[]? Text(ReadOnlySpan<byte> value) => value.IsEmpty ? null : value.ToArray();

    private static long? OptionalNumber(string key, ReadOnlySpan<byte> value) => value.IsEmpty ? null : Number(key, value);

    private static long Number(string key, ReadOnlySpan<byte> value) =>
        Utf8Parser.TryParse(value, out long number, out int length) && length == value.Length
            ? number >= 0 ? number : throw new TarDefect($"the {key} is negative")
            : throw new TarDefect($"the {key} '{BytesText.Escape(value[..Math.Min(value.Length, 40)])}' is no number");

    /// <summary>Seconds with an optional fraction, which is cut after nanoseconds, towards the past.</summary>
    private static Timestamp Time(ReadOnlySpan<byte> value)
    {
        bool isNegative = value[0] == '-';
        ReadOnlySpan<byte> digits = isNegative ? value[1..] : value;
        int point = digits.IndexOf((byte)'.');
        ReadOnlySpan<byte> whole = point < 0 ? digits : digits[..point];
        ReadOnlySpan<byte> fraction = point < 0 ? default : digits[(point + 1)..];
        if (!Utf8Parser.TryParse(whole, out long seconds, out int length) || length != whole.Length || seconds < 0 || fraction.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            throw new TarDefect($"the mtime '{BytesText.Escape(value[..Math.Min(value.Length, 40)])}' is no time");
        uint nanoseconds = 0;
        for (int i = 0; i < 9; i++)
            nanoseconds = (nanoseconds * 10) + (uint)(i < fraction.Length ? fraction[i] - '0' : 0);
        if (!isNegative)
            return new Timestamp(seconds, nanoseconds);
        return nanoseconds == 0 ? new Timestamp(-seconds) : new Timestamp(-seconds - 1, 1_000_000_000 - nanoseconds);
    }

    // Sparse format 0.0: keys that repeat, an offset and a length by turns.
    private void AddToSparseMap(string key, ReadOnlySpan<byte> value)
    {
        List<long> map = SparseMap ??= [];
        bool isOffset = key == "GNU.sparse.offset";
        if (isOffset != (map.Count % 2 == 0))
            throw new TarDefect($"{key} stands in the wrong place of the sparse map");
        AddNumber(map, key, value);
    }

    // Sparse format 0.1: one list of offset,length,offset,length...
    private void SetSparseMap(ReadOnlySpan<byte> value)
    {
        SparseMap = [];
        if (value.IsEmpty)
            return;
        foreach (Range range in value.Split((byte)','))
            AddNumber(SparseMap, "GNU.sparse.map", value[range]);
    }

    private static void AddNumber(List<long> map, string key, ReadOnlySpan<byte> value)
    {
        if (map.Count >= TarFormat.MaxSparseRuns * 2)
            throw new TarDefect($"the sparse map has more than {TarFormat.MaxSparseRuns} runs");
        map.Add(Number(key, value));
    }

    private void SetAccessAcl(ReadOnlySpan<byte> text)
    {
        if (AclText.ToXattr(text, canBeMode: true, out uint mode) is not { } value)
            return;
        AclMode = mode;
        SetXattr(ref _acls, "system.posix_acl_access", value);
    }

    private void SetDefaultAcl(ReadOnlySpan<byte> text)
    {
        if (AclText.ToXattr(text, canBeMode: false, out _) is { } value)
            SetXattr(ref _acls, "system.posix_acl_default", value);
    }

    private static void SetXattr(ref Dictionary<string, Xattr>? xattrs, string name, byte[] value)
    {
        if (name.Length is 0 or > TarFormat.MaxXattrName || name.Contains('\0', StringComparison.Ordinal))
            throw new TarDefect($"'{BytesText.Escape(Encoding.Latin1.GetBytes(name))}' cannot be the name of an extended attribute");
        if (value.Length > TarFormat.MaxXattrValue)
            throw new TarDefect($"the extended attribute '{name}' has {value.Length} bytes; at most {TarFormat.MaxXattrValue} are possible");
        (xattrs ??= [])[name] = new Xattr(Encoding.Latin1.GetBytes(name), value);
    }

    // GNU tar escapes the two characters that would break a record or the escape itself.
    private static string UnescapeXattrName(string name) =>
        name.Replace("%3D", "=", StringComparison.Ordinal).Replace("%25", "%", StringComparison.Ordinal);

    private void SetLibarchiveXattr(string key, ReadOnlySpan<byte> value)
    {
        // bsdtar leaves the padding of base64 out.
        byte[] padded = [.. value.TrimEnd((byte)'='), .. "==="u8[..((4 - (value.TrimEnd((byte)'=').Length % 4)) % 4)]];
        byte[] bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(padded.Length)];
        if (Base64.DecodeFromUtf8(padded, bytes, out _, out int length) != System.Buffers.OperationStatus.Done)
            throw new TarDefect($"the value of 'LIBARCHIVE.xattr.{key}' is not base64");
        SetXattr(ref _exactXattrs, UnescapeUrl(key), bytes[..length]);
    }

    private static string UnescapeUrl(string name)
    {
        StringBuilder plain = new();
        for (int i = 0; i < name.Length; i++)
        {
            if (name[i] == '%' && i + 2 < name.Length && char.IsAsciiHexDigit(name[i + 1]) && char.IsAsciiHexDigit(name[i + 2]))
            {
                plain.Append((char)Convert.ToInt32(name.Substring(i + 1, 2), 16));
                i += 2;
            }
            else
            {
                plain.Append(name[i]);
            }
        }
        return plain.ToString();
    }
}
