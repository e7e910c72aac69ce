using System.Text.Json;

namespace Layerbox.FileTree;

/// <summary>The members of one JSON line, checked. Path, link and target may point into the line.</summary>
internal ref struct TreeJsonLine
{
    [Flags]
    private enum Members
    {
        None = 0, Path = 1, Link = 2, Type = 4, Mode = 8, Uid = 16, Gid = 32, Mtime = 64, Size = 128, Digest = 256,
        Target = 512, Major = 1024, Minor = 2048, Xattrs = 4096, MadeBy = 8192,

        Always = Type | Mode | Uid | Gid | Mtime,
    }

    private Members _given;
    private uint _mode, _uid, _gid, _major, _minor;
    private Timestamp _mtime;
    private long _size;
    private byte[]? _digest;
    private ReadOnlySpan<byte> _target;
    private XattrSet? _xattrs;
    private string? _madeBy;

    public ReadOnlySpan<byte> Path { get; private set; }

    /// <summary>The first name of the inode, when this line is a further one.</summary>
    public ReadOnlySpan<byte> Link { get; private set; }

    public readonly bool IsLink => _given.HasFlag(Members.Link);

    public FileKind Kind { get; private set; }

    /// <exception cref="JsonException">No JSON object.</exception>
    /// <exception cref="InvalidDataException">A member has a wrong type, is missing or does not belong to the kind.</exception>
    public static TreeJsonLine Parse(ReadOnlySpan<byte> text, NoteTable notes)
    {
        Utf8JsonReader json = new(text);
        TreeJsonLine line = default;
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException("a line is one JSON object");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            line.ReadMember(ref json, notes);
        json.Read(); // refuses what follows the object
        line.CheckMembers();
        return line;
    }

    /// <summary>The inode that the line describes; not for a link.</summary>
    public readonly Inode ToInode(Func<TreePath, JsonFacts, FileContent> content, TreePath parent, FileName name)
    {
        Inode inode = Kind switch
        {
            FileKind.Directory => Inode.Directory(_mode),
            FileKind.File => Inode.File(_mode, Content(content, parent.Append(name))),
            FileKind.Symlink => Inode.Symlink(_target.ToArray()),
            FileKind.CharDevice or FileKind.BlockDevice => Inode.Device(Kind == FileKind.BlockDevice, _mode, _major, _minor),
            FileKind.Fifo => Inode.Fifo(_mode),
            _ => Inode.Socket(_mode),
        };
        inode.Mode = _mode;
        inode.Uid = _uid;
        inode.Gid = _gid;
        inode.ModificationTime = _mtime;
        inode.Xattrs = _xattrs ?? XattrSet.Empty;
        inode.MadeBy = _madeBy;
        return inode;
    }

    private readonly FileContent Content(Func<TreePath, JsonFacts, FileContent> content, TreePath path)
    {
        FileContent found = content(path, new JsonFacts(_size, _digest!));
        if (!found.HasDigest)
            found.SetDigest(_digest!);
        return found;
    }

    private void ReadMember(scoped ref Utf8JsonReader json, NoteTable notes)
    {
        ReadOnlySpan<byte> name = json.ValueIsEscaped ? Text(ref json) : json.ValueSpan;
        (Members member, bool isBase64) = Identify(name);
        if (member == Members.None)
        {
            json.Skip();
            return;
        }
        if (_given.HasFlag(member))
            throw new InvalidDataException($"{BytesText.Escape(name)}: given twice");
        _given |= member;
        json.Read();
        try
        {
            ReadValue(member, isBase64, ref json, notes);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{BytesText.Escape(name)}: {e.Message}", e);
        }
    }

    private void ReadValue(Members member, bool isBase64, scoped ref Utf8JsonReader json, NoteTable notes)
    {
        switch (member)
        {
            case Members.Path:
                Path = isBase64 ? Base64(ref json) : Text(ref json);
                break;
            case Members.Link:
                Link = isBase64 ? Base64(ref json) : Text(ref json);
                break;
            case Members.Target:
                _target = isBase64 ? Base64(ref json) : Text(ref json);
                break;
            case Members.Type:
                Kind = ParseKind(Text(ref json));
                break;
            case Members.Mode:
                _mode = ParseMode(Text(ref json));
                break;
            case Members.Uid:
                _uid = Number(ref json);
                break;
            case Members.Gid:
                _gid = Number(ref json);
                break;
            case Members.Major:
                _major = Number(ref json);
                break;
            case Members.Minor:
                _minor = Number(ref json);
                break;
            case Members.Size:
                _size = LongNumber(ref json);
                if (_size < 0)
                    throw new InvalidDataException($"{_size} is no size");
                break;
            case Members.Mtime:
                _mtime = ReadTime(ref json);
                break;
            case Members.Digest:
                _digest = ParseDigest(Text(ref json));
                break;
            case Members.Xattrs:
                _xattrs = ReadXattrs(ref json);
                break;
            case Members.MadeBy:
                _madeBy = notes.Share(Text(ref json));
                break;
        }
    }

    private static (Members Member, bool IsBase64) Identify(ReadOnlySpan<byte> name)
    {
        bool isBase64 = name.EndsWith("_b64"u8);
        if (isBase64)
            name = name[..^4];
        Members member = name.Length switch
        {
            3 => name.SequenceEqual("uid"u8) ? Members.Uid : name.SequenceEqual("gid"u8) ? Members.Gid : Members.None,
            4 => name.SequenceEqual("path"u8) ? Members.Path : name.SequenceEqual("type"u8) ? Members.Type
                : name.SequenceEqual("mode"u8) ? Members.Mode : name.SequenceEqual("size"u8) ? Members.Size
                : name.SequenceEqual("link"u8) ? Members.Link : Members.None,
            5 => name.SequenceEqual("mtime"u8) ? Members.Mtime : name.SequenceEqual("major"u8) ? Members.Major
                : name.SequenceEqual("minor"u8) ? Members.Minor : Members.None,
            6 => name.SequenceEqual("digest"u8) ? Members.Digest : name.SequenceEqual("target"u8) ? Members.Target
                : name.SequenceEqual("xattrs"u8) ? Members.Xattrs : Members.None,
            7 => name.SequenceEqual("made_by"u8) ? Members.MadeBy : Members.None,
            _ => Members.None,
        };
        return !isBase64 || member is Members.Path or Members.Link or Members.Target ? (member, isBase64) : (Members.None, false);
    }

    private readonly void CheckMembers()
    {
        Members own = OfKind();
        if (!_given.HasFlag(Members.Path))
            throw new InvalidDataException("path: missing");
        Members needed = IsLink ? Members.None : Members.Always | own;
        Members allowed = needed | Members.Path | (IsLink ? Members.Link : Members.Xattrs | Members.MadeBy);
        if ((needed & ~_given) is var missing and not Members.None)
            throw new InvalidDataException($"{Names(missing)}: missing");
        if ((_given & ~allowed) is var excess and not Members.None)
            throw new InvalidDataException($"{Names(excess)}: not a member of a {(IsLink ? "link" : TreeJsonEntry.Kinds[(int)Kind].Value)}");
    }

    private readonly Members OfKind() => Kind switch
    {
        FileKind.File => Members.Size | Members.Digest,
        FileKind.Symlink => Members.Target,
        FileKind.CharDevice or FileKind.BlockDevice => Members.Major | Members.Minor,
        _ => Members.None,
    };

    private static string Names(Members members) => members == Members.MadeBy ? "made_by" : members.ToString().ToLowerInvariant();

    private static ReadOnlySpan<byte> Text(scoped ref Utf8JsonReader json)
    {
        if (json.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName))
            throw new InvalidDataException("not a string");
        if (!json.ValueIsEscaped)
            return json.ValueSpan;
        byte[] text = new byte[json.ValueSpan.Length];
        try
        {
            return text.AsSpan(0, json.CopyString(text));
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException("an escape is half of a surrogate pair", e);
        }
    }

    private static byte[] Base64(scoped ref Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.String && json.TryGetBytesFromBase64(out byte[]? bytes) ? bytes
            : throw new InvalidDataException("not base64");

    private static uint Number(scoped ref Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.Number && json.TryGetUInt32(out uint number) ? number
            : throw new InvalidDataException("not a number from 0 to 4294967295");

    private static long LongNumber(scoped ref Utf8JsonReader json) =>
        json.TokenType == JsonTokenType.Number && json.TryGetInt64(out long number) ? number
            : throw new InvalidDataException("not a whole number");

    private static FileKind ParseKind(ReadOnlySpan<byte> text)
    {
        for (int kind = 0; kind < TreeJsonEntry.Kinds.Length; kind++)
            if (text.SequenceEqual(TreeJsonEntry.Kinds[kind].EncodedUtf8Bytes))
                return (FileKind)kind;
        throw new InvalidDataException($"'{BytesText.Escape(text)}' is no kind of file");
    }

    private static uint ParseMode(ReadOnlySpan<byte> text)
    {
        uint mode = 0;
        bool isOctal = text.Length is > 0 and <= 5 && !text.ContainsAnyExceptInRange((byte)'0', (byte)'7');
        if (isOctal)
            foreach (byte digit in text)
                mode = (mode << 3) + digit - '0';
        return isOctal && mode <= 0xFFF ? mode : throw new InvalidDataException($"'{BytesText.Escape(text)}' is not octal permission bits");
    }

    private static byte[] ParseDigest(ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> prefix = TreeJsonEntry.DigestPrefix;
        byte[] digest = new byte[32];
        return text.Length == prefix.Length + 64 && text.StartsWith(prefix) && Hex.TryRead(text[prefix.Length..], digest) ? digest
            : throw new InvalidDataException($"'{BytesText.Escape(text)}' is not 'sha256:' and 64 hexadecimal digits");
    }

    private static Timestamp ReadTime(scoped ref Utf8JsonReader json)
    {
        long? seconds = null;
        uint? nanoseconds = null;
        if (json.TokenType != JsonTokenType.StartObject)
            throw new InvalidDataException("not an object");
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool isSeconds = json.ValueTextEquals("sec"u8), isNanoseconds = !isSeconds && json.ValueTextEquals("nsec"u8);
            json.Read();
            if (isSeconds)
                seconds = LongNumber(ref json);
            else if (isNanoseconds)
                nanoseconds = Number(ref json);
            else
                json.Skip();
        }
        return seconds is { } s && nanoseconds is { } ns and < 1_000_000_000 ? new Timestamp(s, ns)
            : throw new InvalidDataException("needs sec and an nsec below 1000000000");
    }

    private static XattrSet ReadXattrs(scoped ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray)
            throw new InvalidDataException("not an array");
        List<Xattr> xattrs = [];
        while (json.Read() && json.TokenType == JsonTokenType.StartObject)
        {
            byte[]? name = null, value = null;
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                bool isName = json.ValueTextEquals("name"u8), isBase64Name = json.ValueTextEquals("name_b64"u8);
                bool isValue = json.ValueTextEquals("value_b64"u8);
                json.Read();
                if (isName)
                    name = Text(ref json).ToArray();
                else if (isBase64Name)
                    name = Base64(ref json);
                else if (isValue)
                    value = Base64(ref json);
                else
                    json.Skip();
            }
            xattrs.Add(name is { Length: > 0 } && value is not null ? new Xattr(name, value)
                : throw new InvalidDataException("each needs a name and a value_b64"));
        }
        return json.TokenType == JsonTokenType.EndArray ? XattrSet.From(xattrs) : throw new InvalidDataException("holds more than objects");
    }
}
