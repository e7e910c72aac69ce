using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// Applies send streams to trees in memory, as btrfs receive applies them to a filesystem, but strictly: what the sender's own
/// filesystem could not have done is an error that names the command. No host file is ever touched.
/// </summary>
public static class SendStreamTree
{
    /// <summary>Applies a stream that describes exactly one subvolume.</summary>
    /// <param name="input">The stream; it need not seek.</param>
    /// <param name="parent">
    /// The state that an incremental stream starts from. It must be the subvolume that the stream names as its parent, which is the caller's
    /// to know, and is not changed. A full stream does not need it.
    /// </param>
    /// <param name="contents">Takes the bytes of the files.</param>
    /// <param name="limits">What the reader puts up with.</param>
    /// <exception cref="SendStreamException">The stream is malformed, cut, or impossible: offset, command, path and reason.</exception>
    public static ReceivedSubvolume Apply(Stream input, Tree? parent, ContentStore contents, SendStreamLimits? limits = null)
    {
        using TreeReceiver receiver = new(contents, parent, known: null, limits);
        receiver.Receive(input);
        return receiver.Received is [var only]
            ? only
            : throw new SendStreamException(SendStreamFault.SubvolumeCount, 0, 0, $"the input describes {receiver.Received.Count} subvolumes, expected one");
    }

    /// <summary>Applies all streams of an input; later ones may build upon earlier ones.</summary>
    /// <param name="input">One or more streams, back to back.</param>
    /// <param name="known">Gives the state of a subvolume that is not part of the input, by uuid; null where there is none.</param>
    /// <param name="contents">Takes the bytes of the files.</param>
    /// <param name="limits">What the reader puts up with.</param>
    /// <exception cref="SendStreamException">The input is malformed, cut, or impossible: offset, command, path and reason.</exception>
    public static IReadOnlyList<ReceivedSubvolume> ApplyAll(Stream input, Func<Guid, Tree?>? known, ContentStore contents, SendStreamLimits? limits = null)
    {
        using TreeReceiver receiver = new(contents, parent: null, known, limits);
        receiver.Receive(input);
        return receiver.Received;
    }
}
