using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>Applies send streams to trees whose contents are written to a store at once: for what is to end up on disk anyway. See <see cref="SubvolumeSet"/>.</summary>
public static class SendStreamTree
{
    /// <summary>Applies a stream that describes exactly one subvolume.</summary>
    /// <param name="input">The stream; it need not seek.</param>
    /// <param name="known">Gives the state of a subvolume that the stream builds upon, by uuid; null where there is none.</param>
    /// <param name="contents">Takes the bytes of the files.</param>
    /// <param name="limits">What the reader puts up with.</param>
    /// <exception cref="SendStreamException">The stream is malformed, cut, or impossible: offset, command, path and reason.</exception>
    public static ReceivedSubvolume Apply(Stream input, Func<Guid, Tree?>? known, ContentStore contents, SendStreamLimits? limits = null) =>
        ApplyAll(input, known, contents, limits) is var received && received is [var only]
            ? only
            : throw new SendStreamException(SendStreamFault.SubvolumeCount, 0, 0, $"the input describes {received.Count} subvolumes, expected one");

    /// <summary>Applies all streams of an input; later ones may build upon earlier ones.</summary>
    /// <inheritdoc cref="Apply"/>
    public static IReadOnlyList<ReceivedSubvolume> ApplyAll(Stream input, Func<Guid, Tree?>? known, ContentStore contents, SendStreamLimits? limits = null)
    {
        SubvolumeSet set = new(new OpenContents(contents), limits) { Known = known };
        set.Receive(input);
        return set.Subvolumes;
    }
}
