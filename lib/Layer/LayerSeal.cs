using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>What is known of a subvolume that is complete: whose state it has, and of what recipe it is.</summary>
/// <param name="Packages">What its rpm database lists; null when it has none, or nobody knows.</param>
internal sealed record Sealed(string Name, Tree Tree, string? ParentDigest, Timestamp Epoch, string Recipe, IReadOnlyList<RpmRecord>? Packages = null);

/// <summary>The end of every build, whether compiled or imported: digest, read-only, facts, and the step that makes it a layer.</summary>
internal static class LayerSeal
{
    private const string Prefix = "sha256:";

    /// <summary>Seals a subvolume that is in the state of the tree. The build is held by the result from then on.</summary>
    public static BuiltLayer Seal(Volume volume, LayerBuild build, Sealed made, CompileOptions options)
    {
        options.Cancellation.ThrowIfCancellationRequested();
        options.Progress?.Invoke("digesting", 0, null);
        // What is written later, when the kernel gets to it, would count as a change after the facts were made; and after a power cut
        // a layer would be there whose files are not. The disk is busy while the processors digest.
        Task written = Task.Run(() => Subvolume.Sync(build.SubvolumePath));
        string digest;
        try
        {
            ContentDigests.ComputeAll(made.Tree.Walk().Where(e => e.Value.Kind == FileKind.File).Select(e => e.Value.Content!));
            digest = Sha256(TreeDigest.Compute(made.Tree));
        }
        finally
        {
            written.GetAwaiter().GetResult();
        }
        Subvolume.SetReadOnly(build.SubvolumePath, true);
        SubvolumeInfo info = Subvolume.Info(build.SubvolumePath);
        new LayerFacts(made.Name, info.Uuid.ToString("D"), info.Changed.Transid, digest, made.Recipe, made.ParentDigest, made.Epoch.Seconds).Write(build.FactsPath, made.Tree);
        if (made.Packages is not null)
            RpmRecord.Write(build.Directory, made.Packages);
        StoredLayer stored = build.Commit();
        return BuiltLayer.OfBuild(HandleOf(volume, stored, made.Name, digest, made.Recipe), stored, build, info.Changed.Transid, made.Tree);
    }

    /// <summary>A layer of the same recipe that is there and sound; null when there is none.</summary>
    public static BuiltLayer? FindCached(Volume volume, string name, string recipe)
    {
        foreach (StoredLayer stored in volume.Layers.ListByRecipe(Digits(recipe)))
            if (OpenCached(volume, stored, name, recipe) is { } layer)
                return layer;
        return null;
    }

    private static BuiltLayer? OpenCached(Volume volume, StoredLayer stored, string name, string recipe)
    {
        if (LayerFacts.ReadHeader(stored.FactsPath) is not { } facts || facts.Recipe != recipe)
            return null;
        try
        {
            if (!facts.IsAbout(Subvolume.Info(stored.SubvolumePath)))
                return null; // it was made writable since, and written to
            return BuiltLayer.Open(HandleOf(volume, stored, name, facts.Digest, recipe), volume, name);
        }
        catch (IOException)
        {
            return null; // gone, or meddled with, since we looked: it is built again
        }
    }

    /// <summary>Says what can be done, when a build failed for want of room.</summary>
    public static void ExplainFull(Exception e)
    {
        if (e is PosixException { Errno: Errno.ENOSPC or Errno.EDQUOT })
            throw new LayerException($"{e.Message}: 'layerbox subvol-gc' removes what nobody uses");
    }

    /// <summary>A state that no real directory has: a writer that is told of it corrects all that the kernel chose for a new subvolume's root.</summary>
    public static Tree EmptySubvolume() => new(Inode.Directory(0).Owned(uint.MaxValue, uint.MaxValue, new Timestamp(long.MinValue)));

    public static string Sha256(byte[] digest) => Prefix + Convert.ToHexStringLower(digest);

    public static string Digits(string sha256) => sha256[Prefix.Length..];

    private static LayerHandle HandleOf(Volume volume, StoredLayer stored, string name, string digest, string recipe)
    {
        SubvolumeInfo info = Subvolume.Info(stored.SubvolumePath);
        return new LayerHandle(name, volume.Uuid.ToString("D"), stored.RelativePath, info.Uuid.ToString("D"), info.ParentUuid?.ToString("D"), digest, recipe);
    }
}
