using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// The state of one subvolume, as far as commands need it: what stands under a name, of what kind it is, how large. The rules of commands
/// are <see cref="StreamReceiver{TNode}"/>'s; here is only how the state is kept.
/// </summary>
/// <typeparam name="TNode">What stands for a file or directory, apart from its names.</typeparam>
internal abstract class SubvolumeState<TNode> where TNode : notnull
{
    public abstract TNode Root { get; }

    /// <summary>What stands under a name in a directory, as far as that is known.</summary>
    public abstract bool TryFind(TNode folder, ReadOnlySpan<byte> name, out TNode node);

    /// <summary>Takes a name in a directory for granted, of a subvolume that was not given; false where all is known, or the name is known not to be there.</summary>
    public abstract bool TryDiscover(TNode folder, ReadOnlySpan<byte> name, out TNode node);

    /// <summary>Takes it for granted that something is a directory, where nobody told its kind; what stands for it may then be another node.</summary>
    /// <returns>What stands under the name: the same as before where its kind is known.</returns>
    public abstract TNode AsDirectory(TNode folder, ReadOnlySpan<byte> name, TNode node);

    /// <summary>The kind; that of a regular file where nobody told it.</summary>
    public abstract FileKind KindOf(TNode node);

    /// <summary>Whether a directory has something in it, as far as that is known.</summary>
    public abstract bool HasChildren(TNode node);

    /// <summary>Whether a subvolume that was not given had it, so that not all of it is known.</summary>
    public abstract bool IsTakenForGranted(TNode node);

    /// <summary>Notes what a command says of something that was taken for granted.</summary>
    public abstract void Note(TNode node, TreeAspects known);

    /// <summary>A file, directory, fifo or socket that has no name yet.</summary>
    public abstract TNode New(FileKind kind, uint mode);

    public abstract TNode NewSymlink(ReadOnlySpan<byte> target);

    public abstract TNode NewDevice(bool isBlock, uint mode, uint major, uint minor);

    /// <summary>Gives a name, which is possible and not taken.</summary>
    public abstract void Add(TNode folder, ReadOnlySpan<byte> name, TNode node);

    /// <summary>Takes a name away that is there.</summary>
    public abstract void Remove(TNode folder, ReadOnlySpan<byte> name, TNode node);

    public abstract void SetMode(TNode node, uint mode);

    public abstract void SetOwner(TNode node, uint uid, uint gid);

    public abstract void SetTime(TNode node, Timestamp modification);

    public abstract bool HasXattr(TNode node, ReadOnlySpan<byte> name);

    /// <summary>How many bytes the names of the extended attributes take as a list, each with its NUL.</summary>
    public abstract int XattrListLength(TNode node);

    public abstract void SetXattr(TNode node, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value);

    /// <summary>Takes an extended attribute away, if it is there.</summary>
    public abstract void RemoveXattr(TNode node, ReadOnlySpan<byte> name);

    /// <summary>The size of a file as it is now; the largest there is where nobody knows.</summary>
    public abstract long SizeOf(TNode file);

    /// <inheritdoc cref="ContentReceiver.Write"/>
    public abstract void Write(TNode file, long offset, SendCommand command);

    /// <inheritdoc cref="ContentReceiver.WriteEncoded"/>
    public abstract void WriteEncoded(TNode file, long offset, EncodedExtent extent, SendCommand command);

    /// <inheritdoc cref="ContentReceiver.Mark"/>
    public abstract void Mark(TNode file, long offset, long length, SendCommand command);

    /// <summary>Copies a range of a file of this subvolume or another as it is now.</summary>
    public abstract void Copy(TNode source, long sourceOffset, long length, TNode file, long offset, SendCommand command);

    /// <inheritdoc cref="ContentReceiver.SetSize"/>
    public abstract void SetSize(TNode file, long size, SendCommand command);

    /// <inheritdoc cref="ContentReceiver.Clear"/>
    public abstract void Clear(TNode file, long offset, long length, SendCommand command);
}

/// <summary>The subvolumes that streams describe and build upon, in the form in which a <see cref="StreamReceiver{TNode}"/> changes them.</summary>
internal interface ISubvolumeStates<TNode> where TNode : notnull
{
    SendStreamLimits Limits { get; }

    /// <summary>Whether streams without data are taken.</summary>
    bool AllowNoData { get; }

    /// <summary>Whether a subvolume of a uuid is complete.</summary>
    bool IsDescribed(Guid uuid);

    /// <summary>The state that a subvolume starts from; null when its parent is not known and must be.</summary>
    SubvolumeState<TNode>? Begin(FileName name, Guid uuid, ulong ctransid, Guid? parent);

    /// <summary>Ends the subvolume that was begun last: its state does not change any more.</summary>
    void End();

    /// <summary>The state of a subvolume that data is cloned from; null when it is not known and must be.</summary>
    SubvolumeState<TNode>? CloneSource(Guid uuid);
}
