using System.CommandLine;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>The options of sendstream-rewrite that make canonical streams of what the input describes.</summary>
internal sealed class NormalArguments
{
    private readonly Option<bool> _normalise = new("--normalise") { Description = "Write canonical streams: same content, same bytes. An incremental stream needs its parent before it in the input." };
    private readonly Option<string[]> _include = new("--include") { Description = "Keep only what lies at such paths or below; *, ? and ** as in shells, from the root on. Implies --normalise.", HelpName = "PATTERN" };
    private readonly Option<string[]> _exclude = new("--exclude") { Description = "Leave out what lies at such paths or below. Implies --normalise.", HelpName = "PATTERN" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_normalise, _include, _exclude])
            command.Add(option);
    }

    /// <summary>What is asked for; null for nothing of this kind.</summary>
    /// <exception cref="UsageException">It does not go with the other options.</exception>
    public NormalOptions? Options(ParseResult args, RewriteOptions options, RewriteInput input)
    {
        string[] includes = args.GetValue(_include) ?? [], excludes = args.GetValue(_exclude) ?? [];
        if (!args.GetValue(_normalise) && includes.Length + excludes.Length == 0)
            return null;
        SubvolumeIdentity renamed = new(options.Identity.Name);
        if (!input.IsPlain || options with { Version = null, Only = [], Identity = new() } != new RewriteOptions { Only = [], Limits = options.Limits } || options.Identity != renamed)
            throw new UsageException("--normalise, --include and --exclude go with --only, --name and --proto; other changes come before or after, by a pipe");
        return new NormalOptions(options.Version ?? 1, renamed.Name, options.Only, includes.Length + excludes.Length == 0 ? null : new TreeFilter(Patterns(includes), Patterns(excludes)));
    }

    private static List<PathPattern> Patterns(string[] texts) => [.. texts.Select(text => text.Length > 0
        ? new PathPattern(PathText.ToBytes(text))
        : throw new UsageException("--include and --exclude: a pattern is empty"))];
}

/// <summary>How canonical streams are made of what an input describes.</summary>
/// <param name="Version">Of the streams.</param>
/// <param name="Name">A new name for the subvolume.</param>
/// <param name="Only">Which subvolumes to write, by name or uuid; none means all.</param>
/// <param name="Filter">Which paths to keep; null for all.</param>
internal sealed record NormalOptions(uint Version, FileName? Name, IReadOnlyList<byte[]> Only, TreeFilter? Filter)
{
    /// <summary>Reads all of an input and writes what it describes, each subvolume as a stream of its own.</summary>
    /// <exception cref="InvalidDataException">A stream is impossible, or its parent is not in the input: offset, command and reason.</exception>
    public void Write(RewriteInput input, Stream output) => input.Receive(set => Write(set.Subvolumes, output));

    private void Write(IReadOnlyList<ReceivedSubvolume> subvolumes, Stream output)
    {
        if (Only.FirstOrDefault(wanted => !subvolumes.Any(subvolume => RewriteOptions.IsNamed(wanted, subvolume))) is { } missing)
            throw new InvalidDataException($"no subvolume '{BytesText.Escape(missing)}' in the input");
        if (Name is not null && subvolumes.Count(IsWanted) is var count and > 1)
            throw new InvalidDataException($"{count} subvolumes: a new name can be given to one only, which --only picks");
        Dictionary<Tree, Tree> filtered = new(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < subvolumes.Count; i++)
        {
            if (!IsWanted(subvolumes[i]))
                continue;
            Tree? parent = subvolumes[i].ParentUuid is { } uuid ? subvolumes.Take(i).Last(other => other.Uuid == uuid).Tree : null;
            CanonicalSendStream.Write(output, Filtered(subvolumes[i].Tree), Name ?? subvolumes[i].Name, new CanonicalSendOptions
            {
                Version = Version,
                Parent = parent is null ? null : Filtered(parent),
            });
        }

        Tree Filtered(Tree tree)
        {
            if (Filter is null)
                return tree;
            if (!filtered.TryGetValue(tree, out Tree? result))
                filtered.Add(tree, result = Filter.Apply(tree));
            return result;
        }
    }

    private bool IsWanted(ReceivedSubvolume subvolume) => Only.Count == 0 || Only.Any(wanted => RewriteOptions.IsNamed(wanted, subvolume));
}
