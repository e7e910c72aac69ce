using System.Globalization;
using System.Text;

namespace Layerbox.FileTree;

/// <summary>An inode as "(Type …)": what stands in the quotes of a <see cref="TreeText"/>.</summary>
internal sealed class InodeText(ByteText text, Tree tree, TreeTextOptions options)
{
    private const uint DirectoryMode = 0x1ED /* 0755 */, SymlinkMode = 0x1FF /* 0777 */, OtherMode = 0x1A4 /* 0644 */;

    private readonly HashSet<string> _hiddenXattrs = [.. options.HiddenXattrs];
    private long _second = long.MinValue; // files that were made together have their times in one second
    private byte[] _secondText = [];

    public void Write(Inode inode)
    {
        TreeAspects? known = options.Known?.Invoke(inode);
        bool isKindKnown = known is not { } aspects || aspects.HasFlag(TreeAspects.Kind);
        text.Add((byte)'(');
        if (isKindKnown)
            text.Add(NameOf(inode.Kind));
        if (known is not null)
            text.Add((byte)'?');
        if (IsShown(TreeAspects.Mode, inode.Mode == UsualMode(inode.Kind)))
        {
            text.Add(" m"u8);
            text.AddOctal(inode.Mode);
        }
        if (IsShown(TreeAspects.Owner, inode.Uid == 0 && inode.Gid == 0))
        {
            text.Add(" o"u8);
            text.Add(inode.Uid);
            text.Add((byte)':');
            text.Add(inode.Gid);
        }
        if (options.ShowTimes && IsShown(TreeAspects.Time, inode.ModificationTime == options.Epoch))
            WriteTime(inode.ModificationTime);
        if (inode.Xattrs.Count > 0)
            WriteXattrs(inode.Xattrs);
        if (isKindKnown)
            WritePayload(inode);
        text.Add((byte)')');

        bool IsShown(TreeAspects aspect, bool isUsual) => known is { } some ? some.HasFlag(aspect) : options.ShowDefaults || !isUsual;
    }

    private static ReadOnlySpan<byte> NameOf(FileKind kind) => kind switch
    {
        FileKind.Directory => "Dir"u8,
        FileKind.File => "File"u8,
        FileKind.Symlink => "Symlink"u8,
        FileKind.CharDevice => "Char"u8,
        FileKind.BlockDevice => "Block"u8,
        FileKind.Fifo => "FIFO"u8,
        _ => "Sock"u8,
    };

    private static uint UsualMode(FileKind kind) =>
        kind switch { FileKind.Directory => DirectoryMode, FileKind.Symlink => SymlinkMode, _ => OtherMode };

    private void WriteTime(Timestamp time)
    {
        if (time.Seconds != _second || _secondText.Length == 0)
            (_second, _secondText) = (time.Seconds, Encoding.ASCII.GetBytes(Second(time.Seconds)));
        text.Add(_secondText);
        if (time.Nanoseconds != 0)
            text.AddFraction(time.Nanoseconds);
        if (_secondText[2] != '@')
            text.Add((byte)'Z');
    }

    private static string Second(long seconds) =>
        seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds() && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("' t'yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $" t@{seconds}");

    private void WriteXattrs(XattrSet xattrs)
    {
        byte separator = (byte)' ';
        foreach (Xattr xattr in xattrs.Items)
        {
            if (_hiddenXattrs.Count > 0 && _hiddenXattrs.Contains(Encoding.UTF8.GetString(xattr.Name)))
                continue;
            text.Add(separator);
            text.Add((byte)'\'');
            text.AddEscaped(xattr.Name, isQuoted: true);
            text.Add("'='"u8);
            text.AddEscaped(xattr.Value, isQuoted: true);
            text.Add((byte)'\'');
            separator = (byte)',';
        }
    }

    private void WritePayload(Inode inode)
    {
        if (inode.Kind == FileKind.Symlink)
        {
            text.Add((byte)' ');
            text.AddEscaped(inode.Target);
        }
        else if (inode.IsDevice)
        {
            text.Add((byte)' ');
            text.Add(inode.DeviceMajor);
            text.Add((byte)':');
            text.Add(inode.DeviceMinor);
        }
        if (inode.Content is not { } content)
            return;
        WriteChunks(content);
        if (!options.ShowDigests)
            return;
        text.Add(" sha256:"u8);
        text.Add(Convert.ToHexStringLower(content.Digest));
    }

    private void WriteChunks(FileContent content)
    {
        IReadOnlyList<Extent> extents = content.Extents;
        for (int i = 0; i < extents.Count;)
        {
            (Extent first, long length) = (extents[i], 0);
            if (i == 0)
                text.Add((byte)' ');
            for (; i < extents.Count && extents[i].IsHole == first.IsHole && extents[i].IsUnknown == first.IsUnknown; i++)
                length += extents[i].Length;
            text.Add((byte)(first.IsHole ? 'h' : first.IsUnknown ? 'u' : 'd'));
            if (length > 0 || !first.IsUnknown)
                text.Add(length);
            if (extents[i - 1] is { IsUnknown: true, Length: 0 })
                text.Add((byte)'+');
            if (options.Shared is { } shared)
                text.Add(shared.Describe(tree, content, first.Offset, length));
        }
    }
}
