using Layerbox.FileTree;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

/// <summary>Canonical streams as lines to compare with: the command, its path and what tells it from others of its kind.</summary>
internal static class CanonicalText
{
    public static byte[] Write(Tree? parent, Tree tree, uint version = 1) => Write(tree, new CanonicalSendOptions { Parent = parent, Version = version });

    public static byte[] Write(Tree tree, CanonicalSendOptions options)
    {
        using MemoryStream output = new();
        CanonicalSendStream.Write(output, tree, new FileName("vol"), options);
        return output.ToArray();
    }

    public static List<string> Describe(byte[] stream)
    {
        SendStreamReader reader = new(new MemoryStream(stream));
        List<string> lines = [];
        Guid own = default;
        while (reader.Read())
        {
            SendCommand command = reader.Command;
            if (command.Kind is K.Subvol or K.Snapshot)
                own = command.Uuid(A.Uuid);
            string detail = command.Kind switch
            {
                K.Write => $" {command.UInt64(A.FileOffset)}+{command.Bytes(A.Data).Length}",
                K.Fallocate => $" {command.UInt64(A.FileOffset)}+{command.UInt64(A.Size)}",
                K.Clone => $" {command.UInt64(A.FileOffset)}+{command.UInt64(A.CloneLength)} = {(command.Uuid(A.CloneUuid) == own ? "" : "parent ")}"
                    + $"{BytesText.Escape(command.Bytes(A.ClonePath))}@{command.UInt64(A.CloneOffset)}",
                K.Truncate => $" {command.UInt64(A.Size)}",
                K.Link => $" = {BytesText.Escape(command.Bytes(A.PathLink))}",
                K.SetXattr or K.RemoveXattr => $" {BytesText.Escape(command.Bytes(A.XattrName))}",
                K.Mkfile or K.Mkdir or K.Symlink or K.Mknod or K.Mkfifo or K.Mksock => $" {command.UInt64(A.Ino)}",
                _ => "",
            };
            lines.Add($"{SendStreamFormat.NameOf(command.Kind)} {(command.Has(A.Path) ? BytesText.Escape(command.Bytes(A.Path)) : "")}{detail}".TrimEnd());
        }
        return lines;
    }

    public static Tree Apply(byte[] stream, Tree? parent) => SendStreamTree.Apply(new MemoryStream(stream), _ => parent, new MemoryContentStore()).Tree;
}

/// <summary>Bytes with a layout that may say holes where zeros are.</summary>
internal sealed class HoleyContent(byte[] bytes, List<Extent> extents) : FileContent
{
    public override long Size => bytes.Length;
    public override Stream Open() => new MemoryStream(bytes);
    public override IReadOnlyList<Extent> Extents => extents;
}
