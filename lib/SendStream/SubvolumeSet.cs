using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>
/// Subvolumes in memory, as one or more inputs describe them: later streams build upon earlier ones, of the same input or of one before. Streams
/// are applied as btrfs receive applies them to a filesystem, but strictly: what the sender's own filesystem could not have
/// done is an error that names the command. No host file is ever touched.
/// </summary>
public sealed class SubvolumeSet : ISubvolumeStates<Inode>
{
    private const int FirstPrefixLength = 4;

    private readonly ContentReceiver _contents;
    private readonly List<ReceivedSubvolume> _subvolumes = [];
    private readonly Dictionary<Guid, ReceivedSubvolume> _byUuid = [];
    private readonly Dictionary<Guid, Tree> _known = [];
    private readonly Dictionary<StreamSource, uint> _sources = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<Guid, (Tree Tree, Placeholders Placeholders)> _absent = [];
    private (int Count, SharedStorage? Storage) _shared;
    private ReceivedSubvolume? _begun;

    /// <summary>A set whose contents are references to the inputs: <see cref="ReceivedContent"/>.</summary>
    public SubvolumeSet(SendStreamLimits? limits = null) : this(null, limits) { }

    internal SubvolumeSet(ContentReceiver? contents, SendStreamLimits? limits)
    {
        Limits = limits ?? SendStreamLimits.Default;
        _contents = contents ?? new StreamContents(Limits);
    }

    /// <summary>What is put up with.</summary>
    public SendStreamLimits Limits { get; }

    /// <summary>
    /// Whether a stream may build upon a subvolume that is not in the set: what its commands take for granted is then there, and is known as
    /// far as they tell. Else the error names the uuid that is wanted.
    /// </summary>
    public bool AllowUnknownParent { get; init; }

    /// <summary>Whether streams without data are taken (send --no-data); the contents that they speak of are not known then.</summary>
    public bool AllowNoData { get; init; }

    /// <summary>Whether it is kept which inode of its parent each inode of a subvolume was, so that changes can be told.</summary>
    public bool KeepOrigins { get; init; }

    /// <summary>Gives the state of a subvolume that no input describes, by uuid; null where there is none.</summary>
    public Func<Guid, Tree?>? Known { get; init; }

    /// <summary>The subvolumes that are complete, in the order of the inputs.</summary>
    public IReadOnlyList<ReceivedSubvolume> Subvolumes => _subvolumes;

    /// <summary>Whether any data was cloned.</summary>
    public bool HasClones => _contents is StreamContents { HasClones: true };

    /// <summary>The subvolume of a uuid, the last one where several have it; null when there is none.</summary>
    public ReceivedSubvolume? Find(Guid uuid) => _byUuid.GetValueOrDefault(uuid);

    /// <summary>Makes a subvolume known that no input describes: a folder or a layer that streams build upon. Its tree is not changed.</summary>
    public void Add(Guid uuid, Tree tree) => _known[uuid] = tree;

    /// <summary>Receives all streams of an input.</summary>
    /// <param name="reader">The input, which is read to its end.</param>
    /// <param name="bytes">The same input to be read again later; null when contents will not be asked for.</param>
    /// <exception cref="SendStreamException">The input is malformed, cut, or impossible: offset, command, path and reason.</exception>
    public void Receive(SendStreamReader reader, StreamBytes? bytes = null)
    {
        (_contents as StreamContents)?.Begin(bytes);
        try
        {
            NewReceiver().Receive(reader);
        }
        finally
        {
            _contents.Dispose();
        }
    }

    /// <inheritdoc cref="Receive(SendStreamReader, StreamBytes?)"/>
    public void Receive(Stream input, StreamBytes? bytes = null)
    {
        using SendStreamReader reader = new(input, Limits);
        Receive(reader, bytes);
    }

    /// <summary>What messages and renderings call a subvolume: its name; where several have it, "@" and as much of the uuid as tells them apart.</summary>
    public string LabelOf(ReceivedSubvolume subvolume)
    {
        string name = subvolume.Name.ToString(), uuid = subvolume.Uuid.ToString();
        List<string> others = [.. _subvolumes.Where(s => s.Name == subvolume.Name && s.Uuid != subvolume.Uuid).Select(s => s.Uuid.ToString())];
        if (others.Count == 0)
            return name;
        int length = FirstPrefixLength;
        while (others.Exists(other => other.AsSpan(0, length).SequenceEqual(uuid.AsSpan(0, length))))
            length++;
        return $"{name}@{uuid[..length]}";
    }

    /// <summary>Where the bytes of a content of one of the subvolumes are.</summary>
    public IEnumerable<StreamExtent> PartsOf(FileContent content) => _contents is StreamContents contents ? contents.PartsOf(content) : [];

    /// <summary>The same as addresses, so that what clones share can be found.</summary>
    /// <param name="content">The content.</param>
    /// <param name="withHoles">Whether holes have addresses, too: clones copy them like data.</param>
    public IEnumerable<StoredRun> StorageOf(FileContent content, bool withHoles = true)
    {
        foreach (StreamExtent part in PartsOf(content))
        {
            if (!withHoles && part.Source is Hole)
                continue;
            // Each source has its own range of addresses, which is larger than any file.
            if (!_sources.TryGetValue(part.Source, out uint number))
                _sources.Add(part.Source, number = (uint)_sources.Count);
            yield return new StoredRun(part.Offset, part.Length, ((UInt128)number << 64) + (UInt128)part.SourceOffset);
        }
    }

    /// <summary>
    /// Writes a subvolume as <see cref="TreeText"/>, with which data is shared by clones in it and with the others of the set. Every path's
    /// name bears its subvolume's label.
    /// </summary>
    /// <param name="stream">Takes UTF-8, without a line feed at the end.</param>
    /// <param name="subvolume">One of the set.</param>
    /// <param name="options">What else is shown.</param>
    public void WriteText(Stream stream, ReceivedSubvolume subvolume, TreeTextOptions? options = null)
    {
        if (HasClones && _shared.Count != _subvolumes.Count)
            _shared = (_subvolumes.Count, new SharedStorage(_subvolumes.Select(s => ((string?)LabelOf(s), s.Tree)), content => StorageOf(content)));
        TreeText.Write(stream, subvolume.Tree, (options ?? new TreeTextOptions()) with
        {
            Shared = _shared.Storage,
            Known = subvolume.HasPlaceholders ? inode => subvolume.PlaceholderOf(inode)?.Known : null,
        });
    }

    /// <summary>For one input, command by command.</summary>
    internal StreamReceiver<Inode> NewReceiver() => new(this);

    bool ISubvolumeStates<Inode>.IsDescribed(Guid uuid) => Find(uuid) is not null;

    SubvolumeState<Inode>? ISubvolumeStates<Inode>.Begin(FileName name, Guid uuid, ulong ctransid, Guid? parent)
    {
        ReceivedSubvolume begun = new(name, uuid, ctransid, parent, new Tree());
        _begun = parent is { } wanted ? Snapshot(begun, wanted) : begun;
        return _begun is null ? null : new TreeState(_begun.Tree, _begun.Placeholders, _contents);
    }

    void ISubvolumeStates<Inode>.End()
    {
        _contents.Complete();
        _subvolumes.Add(_begun!);
        _byUuid[_begun!.Uuid] = _begun;
    }

    /// <summary>The subvolume with the state that it starts from; null when its parent is not known.</summary>
    private ReceivedSubvolume? Snapshot(ReceivedSubvolume subvolume, Guid parentUuid)
    {
        Dictionary<Inode, Inode>? origins = KeepOrigins ? new(ReferenceEqualityComparer.Instance) : null;
        if (Find(parentUuid) is { Placeholders: { } placeholders } unknown)
        {
            Dictionary<Inode, Inode> parentOf = new(ReferenceEqualityComparer.Instance);
            origins ??= new(ReferenceEqualityComparer.Instance);
            Tree before = unknown.Tree.Copy(parentOf), copy = before.Copy(origins);
            return subvolume with { Tree = copy, Before = before, Origins = origins, Placeholders = new Placeholders(placeholders, before, parentOf, origins) };
        }
        Tree? parent = Find(parentUuid)?.Tree ?? TreeOf(parentUuid);
        if (parent is not null)
            return subvolume with { Tree = parent.Copy(origins), Before = parent, Origins = origins };
        if (!AllowUnknownParent)
            return null;
        Placeholders absent = new(subvolume.Tree, _contents);
        return subvolume with { Before = absent.Before, Placeholders = absent };
    }

    SubvolumeState<Inode>? ISubvolumeStates<Inode>.CloneSource(Guid uuid)
    {
        if (Find(uuid) is { } subvolume)
            return new TreeState(subvolume.Tree, subvolume.Placeholders, _contents);
        if (TreeOf(uuid) is { } known)
            return new TreeState(known, null, _contents);
        if (!AllowUnknownParent)
            return null;
        if (!_absent.TryGetValue(uuid, out (Tree Tree, Placeholders Placeholders) absent))
        {
            Tree tree = new();
            _absent.Add(uuid, absent = (tree, new Placeholders(tree, _contents)));
        }
        return new TreeState(absent.Tree, absent.Placeholders, _contents);
    }

    private Tree? TreeOf(Guid uuid)
    {
        if (!_known.TryGetValue(uuid, out Tree? tree) && (tree = Known?.Invoke(uuid)) is not null)
            _known.Add(uuid, tree);
        return tree;
    }
}
