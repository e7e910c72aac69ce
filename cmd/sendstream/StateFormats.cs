using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// The part of sendstream-parse that tells of subvolumes and files rather than of commands: the formats tree, tree-json and changes, and --cat.
/// </summary>
internal sealed class StateFormats
{
    public const string Text = "tree", Json = "tree-json", Changes = "changes";

    private readonly Option<string[]> _parents = new("--parent")
    {
        Description = "A stream of the chain that the input builds upon; several are given in order. They are read, but not told of. tree, changes and --cat do without, as far as they know.",
        HelpName = "FILE",
    };

    private readonly Option<string> _subvolume = StreamChain.Subvolume();
    private readonly Option<string> _cat = new("--cat") { Description = "Write the bytes of one file of a subvolume, and nothing else. Links are followed inside the subvolume.", HelpName = "PATH" };
    private readonly Option<bool> _digests = new("--digests") { Description = "tree: with the SHA-256 of files." };
    private readonly Option<bool> _defaults = new("--defaults") { Description = "tree: with modes, owners and times that are the usual ones." };
    private readonly Option<bool> _noTimes = new("--no-times") { Description = "tree: without times." };
    private readonly Option<string> _epoch = new("--epoch") { Description = "tree: leave out times that are this one; else 0, which is 1970.", HelpName = "SECONDS" };
    private readonly Option<string[]> _hiddenXattrs = new("--hide-xattr") { Description = "tree: leave out extended attributes of this name, such as security.selinux.", HelpName = "NAME" };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _parents, _subvolume, _cat, _digests, _defaults, _noTimes, _epoch, _hiddenXattrs })
            command.Add(option);
    }

    /// <summary>Whether the arguments ask for one of these, rather than for what tells of commands.</summary>
    /// <exception cref="UsageException">Options do not go together.</exception>
    public bool AreWanted(ParseResult args, string format, bool isFormatGiven)
    {
        bool isState = format is Text or Json or Changes, isCat = args.GetValue(_cat) is not null;
        if (isCat && isFormatGiven)
            throw new UsageException("--cat and --format do not go together");
        if (!isState && !isCat && new Option[] { _parents, _subvolume }.FirstOrDefault(o => args.GetResult(o) is { Implicit: false }) is { } option)
            throw new UsageException($"{option.Name} goes with --format {Text}, {Json} or {Changes}, and with --cat");
        if (format != Text && new Option[] { _digests, _defaults, _noTimes, _epoch, _hiddenXattrs }.FirstOrDefault(o => args.GetResult(o) is { Implicit: false }) is { } textOption)
            throw new UsageException($"{textOption.Name} goes with --format {Text}");
        return isState || isCat;
    }

    /// <summary>Does what was asked for.</summary>
    public int Run(ParseResult args, string format, string[] files, Reading reading, Streams io)
    {
        string? cat = args.GetValue(_cat);
        bool isWhole = cat is null && format == Json; // what needs all contents needs all parents
        SubvolumeSet set = new(reading.Limits) { AllowUnknownParent = !isWhole, AllowNoData = !isWhole, KeepOrigins = cat is null && format == Changes };
        using StreamChain chain = new(io, reading) { Set = set, HasContents = cat is not null || isWhole || args.GetValue(_digests) };
        if (args.GetValue(_parents) is { Length: > 0 } parents)
            chain.Receive(parents);
        int known = set.Subvolumes.Count;
        chain.Receive(files);
        IReadOnlyList<ReceivedSubvolume> wanted = cat is not null || isWhole || args.GetValue(_subvolume) is not null
            ? [chain.Select(args.GetValue(_subvolume))]
            : [.. set.Subvolumes.Skip(known)];
        if (cat is not null)
        {
            Copy(wanted[0], cat, io);
            return ExitStatus.Success;
        }
        foreach (ReceivedSubvolume subvolume in wanted)
        {
            if (format == Changes)
                SubvolumeChangesJson.Write(io.Out, set.LabelOf(subvolume), SubvolumeChanges.Of(subvolume));
            else if (format == Json)
                chain.Use(() => TreeJson.Write(io.Out, subvolume.Tree));
            else
                chain.Use(() => WriteText(set, subvolume, wanted.Count > 1, TextOptions(args), io));
        }
        return ExitStatus.Success;
    }

    private TreeTextOptions TextOptions(ParseResult args) => new()
    {
        ShowDigests = args.GetValue(_digests),
        ShowDefaults = args.GetValue(_defaults),
        ShowTimes = !args.GetValue(_noTimes),
        HiddenXattrs = args.GetValue(_hiddenXattrs) ?? [],
        Epoch = args.GetValue(_epoch) is not { } epoch ? default
            : long.TryParse(epoch, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds) ? new Timestamp(seconds, 0)
            : throw new UsageException($"--epoch: '{epoch}' is no number of seconds"),
    };

    private static void WriteText(SubvolumeSet set, ReceivedSubvolume subvolume, bool isNamed, TreeTextOptions options, Streams io)
    {
        if (isNamed)
            io.WriteLine($"\"{JsonEncodedText.Encode(set.LabelOf(subvolume), JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"");
        set.WriteText(io.Out, subvolume, options);
        io.Out.WriteByte((byte)'\n');
    }

    private static void Copy(ReceivedSubvolume subvolume, string path, Streams io)
    {
        TreePath at = subvolume.Tree.Resolve(TreePath.Parse(PathText.ToBytes(path)), followLast: true);
        Inode inode = subvolume.Tree.Find(at) ?? throw new InvalidDataException($"{path}: no such file in '{subvolume.Name}'{(subvolume.HasPlaceholders ? ", as far as is known without its parent" : "")}");
        if (inode.Content is not { } content)
            throw new InvalidDataException($"{path}: no regular file in '{subvolume.Name}'");
        try
        {
            using Stream bytes = content.Open();
            bytes.CopyTo(io.BinaryOut);
        }
        catch (Exception e) when (e is InvalidDataException or SendStreamException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }
}
