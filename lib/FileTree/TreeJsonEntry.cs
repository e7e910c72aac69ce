using System.Text.Json;

namespace Layerbox.FileTree;

/// <summary>One path of a tree as a JSON object: the members of the lines, and how they are written.</summary>
internal static class TreeJsonEntry
{
    private static readonly JsonEncodedText Path = JsonEncodedText.Encode("path"), PathBase64 = JsonEncodedText.Encode("path_b64");
    private static readonly JsonEncodedText Link = JsonEncodedText.Encode("link"), LinkBase64 = JsonEncodedText.Encode("link_b64");
    private static readonly JsonEncodedText Target = JsonEncodedText.Encode("target"), TargetBase64 = JsonEncodedText.Encode("target_b64");
    private static readonly JsonEncodedText Name = JsonEncodedText.Encode("name"), NameBase64 = JsonEncodedText.Encode("name_b64");
    private static readonly JsonEncodedText ValueBase64 = JsonEncodedText.Encode("value_b64"), Xattrs = JsonEncodedText.Encode("xattrs");
    private static readonly JsonEncodedText Type = JsonEncodedText.Encode("type"), Mode = JsonEncodedText.Encode("mode");
    private static readonly JsonEncodedText Uid = JsonEncodedText.Encode("uid"), Gid = JsonEncodedText.Encode("gid");
    private static readonly JsonEncodedText Mtime = JsonEncodedText.Encode("mtime"), Sec = JsonEncodedText.Encode("sec"), Nsec = JsonEncodedText.Encode("nsec");
    private static readonly JsonEncodedText Size = JsonEncodedText.Encode("size"), Digest = JsonEncodedText.Encode("digest");
    private static readonly JsonEncodedText Major = JsonEncodedText.Encode("major"), Minor = JsonEncodedText.Encode("minor");
    private static readonly JsonEncodedText MadeBy = JsonEncodedText.Encode("made_by");

    /// <summary>The prefix of a digest in JSON; 64 lower-case hexadecimal digits follow.</summary>
    public static ReadOnlySpan<byte> DigestPrefix => "sha256:"u8;

    /// <summary>The values of "type", by <see cref="FileKind"/>.</summary>
    public static JsonEncodedText[] Kinds { get; } =
    [
        JsonEncodedText.Encode("directory"), JsonEncodedText.Encode("file"), JsonEncodedText.Encode("symlink"),
        JsonEncodedText.Encode("char_device"), JsonEncodedText.Encode("block_device"), JsonEncodedText.Encode("fifo"), JsonEncodedText.Encode("socket"),
    ];

    public static void WriteAll(JsonLineWriter lines, Tree tree)
    {
        Dictionary<Inode, byte[]> firstNames = new(ReferenceEqualityComparer.Instance);
        for (TreeCursor at = new(tree); at.MoveNext();)
        {
            lines.StartLine();
            WritePath(lines, at.Path);
            if (at.Inode.Links > 1 && firstNames.TryGetValue(at.Inode, out byte[]? first))
            {
                WriteLink(lines, first);
            }
            else
            {
                if (at.Inode.Links > 1)
                    firstNames.Add(at.Inode, at.Path.ToArray());
                WriteState(lines, at.Inode);
            }
            lines.EndLine();
        }
        lines.Flush();
    }

    public static void WritePath(JsonLineWriter lines, ReadOnlySpan<byte> path) => lines.WriteBytes(Path, PathBase64, path);

    /// <summary>The first name of the inode, where this is another.</summary>
    public static void WriteLink(JsonLineWriter lines, ReadOnlySpan<byte> first) => lines.WriteBytes(Link, LinkBase64, first);

    /// <summary>All of an inode but its names.</summary>
    public static void WriteState(JsonLineWriter lines, Inode inode)
    {
        const TreeAspects all = TreeAspects.Kind | TreeAspects.Mode | TreeAspects.Owner | TreeAspects.Time;
        WriteAspects(lines, inode, all | OfKind(inode.Kind) | (inode.Xattrs.Count > 0 ? TreeAspects.Xattrs : 0));
        if (inode.MadeBy is not null)
            lines.Json.WriteString(MadeBy, inode.MadeBy);
    }

    /// <summary>The aspect that only one kind of inode has; what a change of the kind brings with it.</summary>
    public static TreeAspects OfKind(FileKind kind) => kind switch
    {
        FileKind.File => TreeAspects.Content,
        FileKind.Symlink => TreeAspects.Target,
        FileKind.CharDevice or FileKind.BlockDevice => TreeAspects.Device,
        _ => TreeAspects.None,
    };

    /// <summary>The members of these aspects.</summary>
    public static void WriteAspects(JsonLineWriter lines, Inode inode, TreeAspects aspects)
    {
        Utf8JsonWriter json = lines.Json;
        if (aspects.HasFlag(TreeAspects.Kind))
            json.WriteString(Type, Kinds[(int)inode.Kind]);
        if (aspects.HasFlag(TreeAspects.Mode))
            WriteMode(json, inode.Mode);
        if (aspects.HasFlag(TreeAspects.Owner))
        {
            json.WriteNumber(Uid, inode.Uid);
            json.WriteNumber(Gid, inode.Gid);
        }
        if (aspects.HasFlag(TreeAspects.Time))
        {
            json.WriteStartObject(Mtime);
            json.WriteNumber(Sec, inode.ModificationTime.Seconds);
            json.WriteNumber(Nsec, inode.ModificationTime.Nanoseconds);
            json.WriteEndObject();
        }
        if (aspects.HasFlag(TreeAspects.Content))
        {
            json.WriteNumber(Size, inode.Content!.Size);
            WriteDigest(json, inode.Content.Digest);
        }
        if (aspects.HasFlag(TreeAspects.Target))
            lines.WriteBytes(Target, TargetBase64, inode.Target);
        if (aspects.HasFlag(TreeAspects.Device))
        {
            json.WriteNumber(Major, inode.DeviceMajor);
            json.WriteNumber(Minor, inode.DeviceMinor);
        }
        if (aspects.HasFlag(TreeAspects.Xattrs))
            WriteXattrs(lines, inode.Xattrs);
    }

    private static void WriteMode(Utf8JsonWriter json, uint mode)
    {
        Span<byte> digits = stackalloc byte[11];
        int at = digits.Length;
        do
        {
            digits[--at] = (byte)('0' + (mode & 7));
            mode >>= 3;
        }
        while (mode != 0 || digits.Length - at < 4);
        json.WriteString(Mode, digits[at..]);
    }

    private static void WriteDigest(Utf8JsonWriter json, ReadOnlySpan<byte> digest)
    {
        Span<byte> text = stackalloc byte[DigestPrefix.Length + 64];
        DigestPrefix.CopyTo(text);
        Hex.Write(digest, text[DigestPrefix.Length..]);
        json.WriteString(Digest, text);
    }

    private static void WriteXattrs(JsonLineWriter lines, XattrSet xattrs)
    {
        lines.Json.WriteStartArray(Xattrs);
        foreach (Xattr xattr in xattrs.Items)
        {
            lines.Json.WriteStartObject();
            lines.WriteBytes(Name, NameBase64, xattr.Name);
            lines.Json.WriteBase64String(ValueBase64, xattr.Value);
            lines.Json.WriteEndObject();
        }
        lines.Json.WriteEndArray();
    }
}
