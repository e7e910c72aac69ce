using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>
/// The layers on a volume. <c>layers/ID/</c> holds the subvolume <c>volume</c> and facts about it as files; <c>tmp/ID/</c> is work under way;
/// <c>roots/</c> says which handles exist (<see cref="AddRoot"/>); the file <c>lock</c> marks the layout as ours and keeps collectors apart.
/// A folder in <c>layers/</c> or <c>tmp/</c> is in use as long as some process has a shared flock on it: the kernel lets go of it
/// when the process dies, however that happens, and it stays with the folder when that is renamed.
/// </summary>
public sealed class LayerStore
{
    /// <summary>The name of the subvolume in a layer's folder.</summary>
    public const string SubvolumeName = "volume";

    internal const string LayersName = "layers", TemporaryName = "tmp", RootsName = "roots", LockName = "lock";
    internal const uint PrivateMode = 0x1C0; // 0700: images hold setuid programs, which no local user is to reach
    private const int RecipeDigits = 32, RandomDigits = 8;

    private readonly Volume _volume;

    private LayerStore(Volume volume) => _volume = volume;

    internal string LayersPath => Path.Combine(_volume.Path, LayersName);
    internal string TemporaryPath => Path.Combine(_volume.Path, TemporaryName);
    internal string RootsPath => Path.Combine(_volume.Path, RootsName);
    internal string LockPath => Path.Combine(_volume.Path, LockName);

    /// <summary>Makes the layout where it is missing. A folder with a <c>tmp</c> of its own is refused: the collector would empty it.</summary>
    internal static LayerStore Open(Volume volume)
    {
        LayerStore store = new(volume);
        string[] folders = [store.LayersPath, store.TemporaryPath, store.RootsPath];
        // In this order: whoever made these folders made the mark before.
        string? present = folders.FirstOrDefault(Files.Exists);
        if (!IsMarked(store.LockPath))
        {
            if (present is not null)
                throw new VolumeException($"{present}: is there, but not made by layerbox: a volume needs a folder of its own, such as {Path.Combine(volume.Path, VolumeLocation.ProjectFolder)}");
            SetMark(store.LockPath);
        }
        foreach (string folder in folders.Where(folder => !Files.Exists(folder)))
            Directories.MakeAll(folder, PrivateMode);
        return store;
    }

    private static ReadOnlySpan<byte> Mark => "layerbox volume layout 1\n"u8;

    private static bool IsMarked(string path)
    {
        try
        {
            return WholeFile.Read(path, Mark.Length).AsSpan().SequenceEqual(Mark);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    private static void SetMark(string path)
    {
        try
        {
            WholeFile.Write(path, Mark, replace: false);
        }
        catch (PosixException e) when (e.Errno == Errno.EEXIST && IsMarked(path))
        {
            // Another process was first.
        }
    }

    /// <summary>Starts a layer: an empty folder in <c>tmp/</c> that is kept for as long as the result is not disposed.</summary>
    /// <param name="recipeHex">The recipe's digest, at least 32 lower-case hex digits; the id begins with it.</param>
    /// <param name="expectedBytes">About how much will be written: an own volume is grown for it, another one is asked whether it has it.</param>
    public LayerBuild Begin(string recipeHex, long expectedBytes = 0)
    {
        _volume.EnsureFree(expectedBytes);
        return new LayerBuild(this, MakeTemporary(() => $"{Prefix(recipeHex)}{RandomHex(RandomDigits)}"));
    }

    /// <summary>An empty folder on the volume for a container's snapshot or other passing work; gone when disposed, or by the collector when we die.</summary>
    public TemporaryFolder BeginTemporary() => MakeTemporary(() => $"t-{RandomHex(2 * RandomDigits)}");

    /// <summary>The layer of a recipe, the same one for every process when there are several; null when there is none. The caller holds it, and compares the whole recipe.</summary>
    public StoredLayer? FindByRecipe(string recipeHex) => ListByRecipe(recipeHex) is [var first, ..] ? first : null;

    /// <summary>All layers whose id begins as the recipe does, sorted by id.</summary>
    public IReadOnlyList<StoredLayer> ListByRecipe(string recipeHex)
    {
        string prefix = Prefix(recipeHex);
        return [.. List().Where(layer => layer.Id.StartsWith(prefix, StringComparison.Ordinal) && Files.Exists(layer.SubvolumePath))];
    }

    /// <summary>All layers, sorted by id.</summary>
    public IReadOnlyList<StoredLayer> List() =>
        [.. Names(LayersPath).Where(StoredLayer.IsId).Select(id => new StoredLayer(this, id))];

    /// <summary>The layer that a handle's member "subvolume" names.</summary>
    /// <param name="relativeSubvolumePath"><c>layers/ID/volume</c></param>
    /// <exception cref="InvalidDataException">The text has another form; above all it cannot lead out of the volume.</exception>
    /// <exception cref="VolumeException">There is no such layer here.</exception>
    public StoredLayer Resolve(string relativeSubvolumePath)
    {
        if (relativeSubvolumePath.Split('/') is not [LayersName, var id, SubvolumeName] || !StoredLayer.IsId(id))
            throw new InvalidDataException($"subvolume: expected '{LayersName}/ID/{SubvolumeName}', found '{relativeSubvolumePath}'");
        StoredLayer layer = new(this, id);
        return Subvolume.IsSubvolume(layer.SubvolumePath)
            ? layer
            : throw new VolumeException($"{layer.SubvolumePath}: no such layer on this volume: it was removed, or was made on another one");
    }

    /// <summary>
    /// Records that the file at <paramref name="handlePath"/> is, or is about to be, a handle: the layer that it names lives as long as it does.
    /// To be called before the hold on the layer is released; a handle that is not yet there has to be within the grace period, so
    /// <see cref="WriteHandle"/> is the better choice.
    /// </summary>
    public void AddRoot(string handlePath) => new Roots(RootsPath).Add(handlePath);

    /// <summary>Writes a handle, whole or not at all, and records it as a root in one step: no collector sees the one without the other.</summary>
    public void WriteHandle(string handlePath, ReadOnlySpan<byte> line) => new Roots(RootsPath).AddAndWrite(handlePath, line);

    internal static string RelativePath(string id) => $"{LayersName}/{id}/{SubvolumeName}";

    /// <summary>The names in a folder of the store, sorted.</summary>
    internal static List<string> Names(string folder)
    {
        using SafeFileHandle directory = Directories.Open(folder);
        List<string> names = Directories.List(directory).ConvertAll(entry => PathText.FromBytes(entry.Name));
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    private TemporaryFolder MakeTemporary(Func<string> nextId)
    {
        using SafeFileHandle temporary = Directories.Open(TemporaryPath);
        while (true)
        {
            string id = nextId();
            string path = Path.Combine(TemporaryPath, id);
            // Made and held in one step, as the collector sees it.
            using FolderHold? making = FolderHold.TryShare(TemporaryPath);
            try
            {
                Directories.Make(temporary, Encoding.ASCII.GetBytes(id), PrivateMode);
            }
            catch (PosixException e) when (e.Errno == Errno.EEXIST)
            {
                continue;
            }
            catch (PosixException e)
            {
                throw new PosixException(e.Call, e.Errno, path);
            }
            // Somebody may have taken it away all the same: then we take another.
            if (FolderHold.TryShare(path) is { } hold)
                return new TemporaryFolder(path, hold);
        }
    }

    private static string Prefix(string recipeHex) =>
        recipeHex.Length >= RecipeDigits && recipeHex.All(char.IsAsciiHexDigitLower)
            ? $"{recipeHex[..RecipeDigits]}-"
            : throw new ArgumentException($"expected at least {RecipeDigits} lower-case hex digits, found '{recipeHex}'", nameof(recipeHex));

    private static string RandomHex(int digits) => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(digits / 2));
}
