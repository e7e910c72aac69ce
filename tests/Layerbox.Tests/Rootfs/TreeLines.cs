using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Tests.Rootfs;

/// <summary>A tree as lines that say all there is to know of it, for comparing two of them.</summary>
internal static class TreeLines
{
    public static List<string> Of(Tree tree)
    {
        List<string> lines = [];
        Dictionary<Inode, int> numbers = [];
        foreach ((TreePath path, Inode inode) in tree.Walk())
        {
            StringBuilder line = new();
            line.Append(CultureInfo.InvariantCulture, $"{path} {inode.Kind} {Convert.ToString(inode.Mode, 8)} {inode.Uid}:{inode.Gid} ");
            line.Append(CultureInfo.InvariantCulture, $"{inode.ModificationTime.Seconds}.{inode.ModificationTime.Nanoseconds:d9}");
            if (inode.Content is { } content)
                line.Append(CultureInfo.InvariantCulture, $" {content.Size} {Convert.ToHexStringLower(content.Digest)}");
            if (inode.Kind == FileKind.Symlink)
                line.Append(CultureInfo.InvariantCulture, $" -> {BytesText.Escape(inode.Target)}");
            if (inode.Kind is FileKind.CharDevice or FileKind.BlockDevice)
                line.Append(CultureInfo.InvariantCulture, $" {inode.DeviceMajor}:{inode.DeviceMinor}");
            foreach (Xattr xattr in inode.Xattrs.Items)
                line.Append(CultureInfo.InvariantCulture, $" {BytesText.Escape(xattr.Name)}={Convert.ToHexStringLower(xattr.Value)}");
            if (inode.Links > 1)
            {
                numbers.TryAdd(inode, numbers.Count);
                line.Append(CultureInfo.InvariantCulture, $" link {numbers[inode]} of {inode.Links}");
            }
            lines.Add(line.ToString());
        }
        return lines;
    }

    public static void AssertEqual(Tree expected, Tree actual) => Assert.Equal(string.Join('\n', Of(expected)), string.Join('\n', Of(actual)));
}
