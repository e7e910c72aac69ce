using System.Security.Cryptography;
using System.Text.Json;
using Layerbox.Posix;

namespace Layerbox.Btrfs;

/// <summary>
/// The indirect roots, as Nix has them: links to the places of handles. Nothing has to be told when a handle is deleted or
/// overwritten: a root counts for what its target says when the collector looks. Adding takes the folder's lock shared,
/// removing exclusively, so a handle and its root appear as one.
/// </summary>
internal sealed class Roots(string folder)
{
    /// <summary>Handles are one line; what is larger is something else.</summary>
    private const int HandleMax = 64 * 1024;
    private const int NameDigits = 32;

    /// <summary>Records the path of a handle. Recording it again changes nothing.</summary>
    public void Add(string handlePath)
    {
        using FolderHold hold = Share();
        Link(hold, RealPath.OfName(handlePath));
    }

    /// <summary>Records the path and writes the handle there. The root comes first: without a handle it is only stale.</summary>
    public void AddAndWrite(string handlePath, ReadOnlySpan<byte> line)
    {
        using FolderHold hold = Share();
        Link(hold, RealPath.OfName(handlePath));
        WholeFile.Write(handlePath, line);
    }

    /// <summary>All roots as they are now, sorted by name.</summary>
    public List<Root> Read() => [.. LayerStore.Names(folder).Select(Read).OfType<Root>()];

    /// <summary>Removes a root whose target is gone; false when it came back, went away itself, or somebody is adding roots just now.</summary>
    public bool TryRemoveStale(Root root)
    {
        using FolderHold? hold = FolderHold.TryOwn(folder, out _);
        if (hold is null || Read(root.Name)?.State != RootState.Gone)
            return false;
        Files.Remove(hold.Directory, PathText.ToBytes(root.Name));
        return true;
    }

    private FolderHold Share() => FolderHold.TryShare(folder) ?? throw new PosixException("open", Errno.ENOENT, folder);

    private static void Link(FolderHold hold, string target)
    {
        byte[] bytes = PathText.ToBytes(target);
        string name = Convert.ToHexStringLower(SHA256.HashData(bytes))[..NameDigits];
        // Renamed into place, so that it also gets the time of now; a leftover under the first name is a root as good as any.
        byte[] first = PathText.ToBytes($"{name}.{Guid.NewGuid():N}");
        Files.MakeSymlink(bytes, hold.Directory, first);
        Files.Rename(hold.Directory, first, hold.Directory, PathText.ToBytes(name), replace: true);
    }

    // Null when it went away since it was listed.
    private Root? Read(string name)
    {
        string path = Path.Combine(folder, name);
        try
        {
            FileStatus status = Files.Status(path);
            if (!status.IsSymlink)
                return new Root(name, path, RootState.Unknown, null, "not a link to a handle", status.ModificationSeconds);
            string target = PathText.FromBytes(Files.ReadLink(Directories.Current, PathText.ToBytes(path)));
            if (!target.StartsWith('/'))
                return new Root(name, target, RootState.Unknown, null, "not a link to a handle", status.ModificationSeconds);
            (RootState state, Guid? uuid, string? reason) = ReadHandle(target);
            return new Root(name, target, state, uuid, reason, status.ModificationSeconds);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return null;
        }
    }

    private static (RootState State, Guid? Uuid, string? Reason) ReadHandle(string target)
    {
        try
        {
            ReadOnlySpan<byte> text = WholeFile.Read(target, HandleMax);
            int end = text.IndexOf((byte)'\n');
            using JsonDocument handle = JsonDocument.Parse((end < 0 ? text : text[..end]).ToArray());
            return handle.RootElement.ValueKind == JsonValueKind.Object
                && handle.RootElement.TryGetProperty("uuid", out JsonElement uuid) && uuid.ValueKind == JsonValueKind.String && uuid.TryGetGuid(out Guid value)
                && handle.RootElement.TryGetProperty("subvolume", out _)
                ? (RootState.Handle, value, null)
                : (RootState.NoHandle, null, "JSON without uuid and subvolume");
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return (RootState.Gone, null, null);
        }
        catch (PosixException e) when (e.Errno is Errno.EISDIR)
        {
            return (RootState.NoHandle, null, "a directory");
        }
        catch (PosixException e)
        {
            return (RootState.Unknown, null, PosixException.Reason(e.Errno));
        }
        catch (Exception e) when (e is InvalidDataException or JsonException)
        {
            return (RootState.NoHandle, null, "not a line of JSON");
        }
    }
}

/// <summary>What is found at a root's target.</summary>
internal enum RootState
{
    /// <summary>A handle.</summary>
    Handle,

    /// <summary>Some other file: it keeps nothing.</summary>
    NoHandle,

    /// <summary>Nothing.</summary>
    Gone,

    /// <summary>It cannot be read, so it may name any layer.</summary>
    Unknown,
}

/// <summary>A root as it was found.</summary>
/// <param name="Name">Its name in <c>roots/</c>.</param>
/// <param name="Target">The path of the handle.</param>
/// <param name="State">What is there.</param>
/// <param name="Uuid">The subvolume that the handle names.</param>
/// <param name="Reason">Why it is no handle, or cannot be read.</param>
/// <param name="ModificationSeconds">When the root was made, in seconds since 1970.</param>
internal sealed record Root(string Name, string Target, RootState State, Guid? Uuid, string? Reason, long ModificationSeconds);
