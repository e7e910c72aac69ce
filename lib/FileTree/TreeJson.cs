namespace Layerbox.FileTree;

/// <summary>What a JSON line says about the bytes of a regular file: length in bytes and SHA-256 (32 bytes).</summary>
public readonly record struct JsonFacts(long Size, byte[] Digest);

/// <summary>
/// A tree as JSON lines, one a path in canonical order, lossless for all that is in <see cref="TreeDigest"/> and for who made it; the
/// bytes of files stay where they are. The members are described in docs/tree-json.md.
/// </summary>
public static class TreeJson
{
    /// <summary>The kind of file as the member "type" has it.</summary>
    public static string NameOf(FileKind kind) => TreeJsonEntry.Kinds[(int)kind].Value;

    /// <summary>Writes the lines. Contents whose digest is not known yet are read.</summary>
    public static void Write(Stream stream, Tree tree)
    {
        using JsonLineWriter lines = new(stream);
        TreeJsonEntry.WriteAll(lines, tree);
    }

    /// <summary>Reads lines up to the end of the stream.</summary>
    /// <param name="stream">Where the lines come from; it is read to its end.</param>
    /// <param name="content">Gives the content of a file, which is told the digest of the line unless it knows its own.</param>
    /// <param name="firstLine">The number of the first line, for messages.</param>
    /// <exception cref="InvalidDataException">The line of that number is malformed, out of order or contradicts an earlier one.</exception>
    public static Tree Read(Stream stream, Func<TreePath, JsonFacts, FileContent> content, int firstLine = 1)
    {
        if (!stream.CanSeek)
        {
            using MemoryStream copy = new();
            stream.CopyTo(copy);
            return Read(copy.GetBuffer().AsSpan(0, (int)copy.Length), content, firstLine);
        }
        byte[] bytes = GC.AllocateUninitializedArray<byte>(checked((int)(stream.Length - stream.Position)));
        stream.ReadExactly(bytes);
        return Read(bytes, content, firstLine);
    }

    /// <inheritdoc cref="Read(Stream, Func{TreePath, JsonFacts, FileContent}, int)"/>
    public static Tree Read(ReadOnlySpan<byte> lines, Func<TreePath, JsonFacts, FileContent> content, int firstLine = 1) =>
        new TreeJsonReader(content, firstLine).Read(lines);
}
