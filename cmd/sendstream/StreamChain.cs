using System.CommandLine;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// The subvolumes that several inputs describe one after the other, such as a full stream and the incremental ones upon it. All of it is
/// held as a model: what a tool writes, it writes after everything was read and found good.
/// </summary>
/// <param name="io">Where standard input comes from.</param>
/// <param name="reading">How inputs are read.</param>
internal sealed class StreamChain(Streams io, Reading reading) : IDisposable
{
    private readonly List<ReceivedStreams> _inputs = [];

    /// <summary>Takes the subvolumes; its limits are those of the reading.</summary>
    public SubvolumeSet Set { get; init; } = new(reading.Limits);

    /// <summary>Whether contents will be read.</summary>
    public bool HasContents { get; init; } = true;

    /// <summary>The operand of a tool that reads a chain.</summary>
    public static Argument<string[]> Files() => new("FILE")
    {
        Description = "Send-streams, plain or compressed with gzip, zstd, xz or bzip2; each may build upon those before it. - or none: standard input.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    public static Option<string> Subvolume() => new("--subvolume") { Description = "Which of the subvolumes is meant; else the last one.", HelpName = "NAME|UUID" };

    /// <summary>Does what reads contents; one that cannot be read is told with its path.</summary>
    public void Use(Action work) => ContentErrors.Name(Set, reading, work);

    /// <summary>Receives inputs, upon those before; gives the last subvolume.</summary>
    /// <param name="files">Operands; none is standard input.</param>
    /// <exception cref="InvalidDataException">A stream is malformed or impossible: input, offset, command and reason.</exception>
    public ReceivedSubvolume Receive(IReadOnlyList<string> files)
    {
        if (files.Count == 0)
            files = [InputFile.StandardInput];
        int known = Set.Subvolumes.Count;
        _inputs.Add(ReceivedStreams.Open(files, io, Set, HasContents, reading));
        return Set.Subvolumes.Count > known ? Set.Subvolumes[^1] : throw new InvalidDataException($"{InputFile.NameOf(files[^1])}: describes no subvolume");
    }

    /// <summary>The subvolume that is meant: the last one, or that of a name or uuid.</summary>
    /// <exception cref="InvalidDataException">There is none of the name, or there are several.</exception>
    public ReceivedSubvolume Select(string? nameOrUuid)
    {
        if (nameOrUuid is null)
            return Set.Subvolumes[^1];
        byte[] name = PathText.ToBytes(nameOrUuid);
        List<ReceivedSubvolume> found = Guid.TryParseExact(nameOrUuid, "D", out Guid uuid) && Set.Find(uuid) is { } one
            ? [one]
            : [.. Set.Subvolumes.Where(subvolume => subvolume.Name.Bytes.SequenceEqual(name) || Set.LabelOf(subvolume) == nameOrUuid)];
        return found switch
        {
            [var only] => only,
            [] => throw new InvalidDataException($"{nameOrUuid}: the input describes no such subvolume, only {string.Join(", ", Set.Subvolumes.Select(subvolume => subvolume.Name))}"),
            _ => throw new InvalidDataException($"{nameOrUuid}: several subvolumes have this name: {string.Join(", ", found.Select(subvolume => subvolume.Uuid))}"),
        };
    }

    /// <summary>The subvolume whose changes an incremental stream told; null for a full one, and where no input describes the parent.</summary>
    public ReceivedSubvolume? ParentOf(ReceivedSubvolume subvolume)
    {
        // A stream can lead back to a subvolume that is there already: the parent is what stood for its uuid then.
        return Set.Subvolumes.TakeWhile(other => !ReferenceEquals(other, subvolume)).LastOrDefault(other => other.Uuid == subvolume.ParentUuid);
    }

    public void Dispose() => _inputs.ForEach(input => input.Dispose());
}
