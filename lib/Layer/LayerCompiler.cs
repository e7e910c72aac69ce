using System.Security.Cryptography;
using System.Text;
using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Layer.Rpms;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>How a layer is compiled, besides what its specification says.</summary>
public sealed record CompileOptions
{
    /// <summary>Build even when a layer of the same recipe is there.</summary>
    public bool NoCache { get; init; }

    /// <summary>From the environment; used where the specification does not say.</summary>
    public Timestamp? SourceDateEpoch { get; init; }

    /// <summary>The version of the tool: another one may build another content, so it is part of every recipe.</summary>
    public required string ToolVersion { get; init; }

    /// <summary>Told what is being done: a phase, and how much of how much where that is known.</summary>
    public Action<string, long, long?>? Progress { get; init; }

    /// <summary>Asked between steps.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>What a compilation gave.</summary>
/// <param name="Layer">The layer, held.</param>
/// <param name="WasCached">Whether it was there already.</param>
public sealed record CompileResult(BuiltLayer Layer, bool WasCached);

/// <summary>
/// A function of specification, inputs and parent to a read-only subvolume: same inputs, same content, on any machine, at any time.
/// What is built appears whole or not at all.
/// </summary>
public sealed class LayerCompiler(Volume volume, CompileOptions options)
{
    /// <summary>Raised when the meaning of items changes, so that no layer of the old meaning is handed out for the new.</summary>
    private const int RecipeVersion = 1;

    /// <summary>Layers opened for this compilation, by handle; released at its end.</summary>
    private readonly Dictionary<LayerHandle, BuiltLayer> _opened = [];

    /// <exception cref="LayerException">The layer cannot be built as specified.</exception>
    /// <exception cref="PosixException">The machine refused something.</exception>
    public CompileResult Compile(LayerSpec spec)
    {
        try
        {
            Timestamp epoch = spec.SourceDateEpoch ?? options.SourceDateEpoch ?? default;
            BuiltLayer? parent = spec.Parent is null ? null : Open(spec.Parent);
            DigestInputs(spec);
            RpmTransaction? rpms = Transaction(spec, parent, epoch);
            string recipe = Recipe(spec, parent, epoch, rpms);
            if (!options.NoCache && LayerSeal.FindCached(volume, spec.Name, recipe) is { } cached)
                return new CompileResult(cached, WasCached: true);
            return new CompileResult(Build(spec, parent, epoch, recipe, rpms), WasCached: false);
        }
        finally
        {
            CloseOpened();
        }
    }

    /// <summary>The items in the order in which they would run, without building anything; run items count as if they changed nothing.</summary>
    public IReadOnlyList<Item> Plan(LayerSpec spec)
    {
        try
        {
            Timestamp epoch = spec.SourceDateEpoch ?? options.SourceDateEpoch ?? default;
            BuiltLayer? parent = spec.Parent is null ? null : Open(spec.Parent);
            DigestInputs(spec);
            // Members of archives are not kept, but neither is there memory for all of them.
            using TemporaryFolder temporary = volume.Layers.BeginTemporary();
            using StagedContentStore store = new(temporary.Directory);
            LayerDraft draft = new(parent?.Tree.Copy() ?? NewTree(epoch), epoch, store, layer => Open(layer).Tree);
            FeaturePhase.Remove(draft, spec.Items);
            return [.. FeaturePhase.Rpms(spec.Items), .. FeaturePhase.Removals(spec.Items), .. FeaturePhase.Runs(spec.Items), .. FeaturePhase.Apply(draft, spec.Items)];
        }
        finally
        {
            CloseOpened();
        }
    }

    private void CloseOpened()
    {
        foreach (BuiltLayer layer in _opened.Values)
            layer.Dispose();
        _opened.Clear();
    }

    private BuiltLayer Open(LayerInput input)
    {
        if (!_opened.TryGetValue(input.Handle, out BuiltLayer? layer))
            _opened.Add(input.Handle, layer = BuiltLayer.Open(input.Handle, volume, input.Name));
        return layer;
    }

    private void DigestInputs(LayerSpec spec)
    {
        options.Progress?.Invoke("digesting inputs", 0, null);
        foreach (Item item in spec.Items)
        {
            options.Cancellation.ThrowIfCancellationRequested();
            _ = item.Guard(() => item.Text);
        }
    }

    private string Recipe(LayerSpec spec, BuiltLayer? parent, Timestamp epoch, RpmTransaction? rpms)
    {
        StringBuilder text = new();
        text.Append("layerbox recipe ").Append(RecipeVersion).Append('\n')
            .Append("tool ").Append(options.ToolVersion).Append('\n')
            .Append("name ").Append(spec.Name).Append('\n')
            .Append("parent ").Append(parent?.Handle.Digest ?? "none").Append('\n')
            .Append("epoch ").Append(epoch.Seconds).Append('\n')
            .Append("self_contained ").Append(spec.SelfContained).Append('\n');
        if (rpms is not null)
            text.Append(rpms.Text).Append('\n');
        // Removals and runs as often and in the order as they would run; of all other items equal ones are one, and the order means nothing.
        IEnumerable<Item> first = [.. FeaturePhase.Rpms(spec.Items), .. FeaturePhase.Removals(spec.Items), .. FeaturePhase.Runs(spec.Items)];
        foreach (string item in first.Select(i => i.Text))
            text.Append(item).Append('\n');
        foreach (string item in spec.Items.Where(i => i.Phase == Phase.Features).Select(i => i.Text).Distinct().Order(StringComparer.Ordinal))
            text.Append(item).Append('\n');
        return LayerSeal.Sha256(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private BuiltLayer Build(LayerSpec spec, BuiltLayer? parent, Timestamp epoch, string recipe, RpmTransaction? rpms)
    {
        LayerBuild build = volume.Layers.Begin(LayerSeal.Digits(recipe));
        try
        {
            volume.MakeRoom(spec.Items.SelectMany(item => item.Inputs).Distinct().Sum(input => input.Size));
            (Tree tree, IReadOnlyList<RpmRecord>? packages) = Make(build.SubvolumePath, spec, parent, epoch, rpms);
            return LayerSeal.Seal(volume, build, new Sealed(spec.Name, tree, parent?.Handle.Digest, epoch, recipe, packages), options);
        }
        catch (Exception e)
        {
            build.Dispose();
            LayerSeal.ExplainFull(e);
            throw;
        }
    }

    private (Tree Tree, IReadOnlyList<RpmRecord>? Packages) Make(string path, LayerSpec spec, BuiltLayer? parent, Timestamp epoch, RpmTransaction? rpms)
    {
        if (parent is null)
            Subvolume.Create(path);
        else
            Subvolume.Snapshot(parent.Path, path, readOnly: false);

        Tree onDisk = parent?.Tree ?? LayerSeal.EmptySubvolume();
        Tree tree = parent?.Tree.Copy() ?? NewTree(epoch);
        IReadOnlyList<RpmRecord>? packages = parent?.Packages;
        if (rpms is not null)
        {
            RpmPhase phase = new(path, options) { Volume = volume };
            (onDisk, tree, packages) = phase.Run(rpms, FeaturePhase.Rpms(spec.Items), new LayerDraft(tree, epoch, new MemoryContentStore()), onDisk, spec.Name, packages ?? []);
        }
        IReadOnlyList<(TreePath Path, FileContent Content)> described = packages is null ? [] : RpmPhase.DatabasesIn(tree);
        LayerDraft draft = new(tree, epoch, new MemoryContentStore(), layer => Open(layer).Tree);
        FeaturePhase.Remove(draft, spec.Items);
        IReadOnlyList<RunItem> runs = FeaturePhase.Runs(spec.Items);
        if (runs.Count > 0)
            (onDisk, tree) = new RunPhase(path, options).Run(runs, draft, onDisk);
        options.Cancellation.ThrowIfCancellationRequested();
        using (StagedContentStore store = new(path))
        {
            options.Progress?.Invoke("applying items", 0, null);
            draft = new LayerDraft(tree, epoch, new GrowingStore(store, volume), layer => Open(layer).Tree);
            FeaturePhase.Apply(draft, spec.Items);
            if (spec.SelfContained && draft.Metadata.Mounts.FirstOrDefault(m => m.Type == Mount.OfHost) is { } mount)
                throw new LayerException($"{spec.Name}: the layer is declared self-contained, but {mount.MountPoint} is a mount from the host");
            RootfsWriter.Apply(path, onDisk, tree, new RootfsWriteOptions { Progress = Report });
        }
        // A command, or a removal, may have changed the database: then nobody knows what it lists.
        bool isDescribed = described.Count > 0 && RpmPhase.DatabasesIn(tree) is var now && now.Count == described.Count
            && now.Zip(described).All(pair => pair.First.Path.Equals(pair.Second.Path) && pair.First.Content.Digest.AsSpan().SequenceEqual(pair.Second.Content.Digest));
        return (tree, isDescribed ? packages : null);
    }

    /// <summary>What happens to packages; null when the layer says nothing of them.</summary>
    private RpmTransaction? Transaction(LayerSpec spec, BuiltLayer? parent, Timestamp epoch)
    {
        IReadOnlyList<RpmItem> items = FeaturePhase.Rpms(spec.Items);
        if (items.Count == 0)
            return null;
        RpmSource source = spec.Rpms ?? new RpmSource(spec.Name);
        if (source.StorePath is null && items.OfType<RpmsInstallItem>().FirstOrDefault(item => item.File is null) is { } homeless)
            throw homeless.Error("the layer has no 'rpm_snapshot' that says from which snapshot packages come");
        return new RpmTransaction(source, source.Appliance is { } appliance ? Open(appliance) : null)
        {
            Epoch = epoch,
            Install = [.. items.OfType<RpmsInstallItem>().SelectMany(item => item.Names).Distinct().Order(StringComparer.Ordinal)],
            Files = [.. items.OfType<RpmsInstallItem>().Select(item => item.File).OfType<BlobInput>()],
            Remove = [.. items.OfType<RpmsRemoveItem>().SelectMany(item => item.Names.Select(name => (name, item.MustExist)))],
            Locks = [.. items.OfType<RpmsInstallItem>().Select(item => item.LockFile).OfType<BlobInput>().Select(file => (file.Name, RpmLock.Read(file)))],
            Known = parent?.Packages ?? [],
            Progress = options.Progress,
        };
    }

    internal static Tree NewTree(Timestamp epoch) => new(Inodes.Directory(InodeMode.Directory, 0, 0, epoch));

    private void Report(RootfsProgress progress)
    {
        options.Progress?.Invoke("writing", progress.Inodes, null);
        options.Cancellation.ThrowIfCancellationRequested();
    }
}
