using System.Text.Unicode;
using Layerbox.FileTree;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.SendStream;

/// <summary>What one should know of a command that can be carried out, before a stream of somebody else is received.</summary>
internal static class SendStreamAudit
{
    private const ulong S_ISUID = 0x800, S_ISGID = 0x400, S_ISVTX = 0x200, S_IWOTH = 2; // linux/stat.h

    /// <param name="command">The command, which was carried out.</param>
    /// <param name="target">The kind of what it was about; null when that is not known.</param>
    /// <param name="report">Told what there is to say.</param>
    public static void Look(SendCommand command, FileKind? target, Action<SendStreamFinding> report)
    {
        switch (command.Kind)
        {
            case K.Mknod:
                Say(SendStreamRemark.DeviceNode, "is a device node: whoever may open it speaks to the machine's hardware");
                break;
            case K.SetXattr when command.Bytes(A.XattrName).SequenceEqual("security.capability"u8):
                Say(SendStreamRemark.FileCapability, "is given capabilities: whoever runs it has them");
                break;
            case K.Chmod:
                Mode(command.UInt64(A.Mode));
                break;
        }

        void Mode(ulong mode)
        {
            // On directories setuid means nothing, setgid is inherited by what is made inside, and sticky makes "all may write" harmless;
            // on files sticky means nothing.
            bool isDirectory = target == FileKind.Directory;
            if ((mode & S_ISUID) != 0 && !isDirectory)
                Say(SendStreamRemark.Setuid, $"is given mode {Octal(mode)}: it runs as its owner");
            if ((mode & S_ISGID) != 0 && !isDirectory)
                Say(SendStreamRemark.Setgid, $"is given mode {Octal(mode)}: it runs as its group");
            if ((mode & S_IWOTH) != 0 && ((mode & S_ISVTX) == 0 || !isDirectory) && target is null or FileKind.Directory or FileKind.File)
                Say(SendStreamRemark.WorldWritable, $"is given mode {Octal(mode)}: all may write to it");
        }

        static string Octal(ulong mode) => $"0{Convert.ToString((long)mode, 8)}";

        void Say(SendStreamRemark remark, string what) =>
            report(SendStreamFinding.Of(remark, command, $"{StreamPaths.Show(command.Bytes(A.Path))} {what}"));
    }

    /// <summary>About a name that a command gives: whether it misleads those who read it, and whether the path can be opened everywhere.</summary>
    /// <param name="command">The command, which was carried out.</param>
    /// <param name="subvolumeName">Length of the subvolume's name, in bytes.</param>
    /// <param name="report">Told what there is to say.</param>
    public static void LookAtName(SendCommand command, int subvolumeName, Action<SendStreamFinding> report)
    {
        if (command.Kind is not (>= K.Subvol and <= K.Link))
            return;
        ReadOnlySpan<byte> path = command.Bytes(command.Kind == K.Rename ? A.PathTo : A.Path);
        ReadOnlySpan<byte> name = path[(path.LastIndexOf((byte)'/') + 1)..];
        if (!Utf8.IsValid(name))
            Say(SendStreamRemark.NameNotUtf8, path, "the name is not UTF-8");
        if (name.ContainsAnyInRange((byte)0, (byte)31) || name.Contains((byte)127))
            Say(SendStreamRemark.NameControl, path, "the name has control characters");
        // Receivers open paths from the folder that they receive into.
        if (command.Kind > K.Snapshot && subvolumeName + 1 + path.Length is var whole and > SendStreamFormat.MaxPathLength)
            Say(SendStreamRemark.PathLong, path, $"with the subvolume's name it has {whole} bytes, more than the {SendStreamFormat.MaxPathLength} that a receiver can open");

        void Say(SendStreamRemark remark, ReadOnlySpan<byte> shown, string what) =>
            report(SendStreamFinding.Of(remark, command, $"{StreamPaths.Show(shown)}: {what}"));
    }
}
