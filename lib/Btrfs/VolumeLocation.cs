using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>Where the volume is looked for, and whether it may be made there without being asked for.</summary>
/// <param name="Directory">The folder, not yet checked.</param>
/// <param name="IsDefault">Nobody named it: it is the embedded default, made on first use.</param>
internal sealed record VolumeLocation(string Directory, bool IsDefault)
{
    public const string ProjectFolder = ".layerbox";
    private const string Advice = "point --volume or $LAYERBOX_VOLUME at a folder on a btrfs filesystem";

    /// <summary>--volume, else $LAYERBOX_VOLUME, else the nearest usable .layerbox/ from the current folder upwards, else the cache.</summary>
    /// <exception cref="VolumeException">There is no place for any of them, or it cannot be looked at.</exception>
    /// <param name="explicitPath">What --volume said.</param>
    /// <param name="variable">Looks up an environment variable; null when unset or empty.</param>
    /// <param name="currentDirectory">An absolute path without links.</param>
    public static VolumeLocation Find(string? explicitPath, Func<string, string?> variable, string currentDirectory) =>
        TryFind(explicitPath, variable, currentDirectory)
        ?? throw new VolumeException($"no place for the default volume: neither $XDG_CACHE_HOME nor $HOME is an absolute path: set one, or {Advice}");

    /// <summary>As <see cref="Find"/>, but null where there is no place even for the default one.</summary>
    public static VolumeLocation? TryFind(string? explicitPath, Func<string, string?> variable, string currentDirectory)
    {
        if ((explicitPath ?? variable("LAYERBOX_VOLUME")) is { } named)
            return new VolumeLocation(named, IsDefault: false);
        for (string? at = currentDirectory; at is not null; at = Path.GetDirectoryName(at))
        {
            string project = Path.Combine(at, ProjectFolder);
            if (IsUsableProject(project, variable))
                return new VolumeLocation(project, IsDefault: false);
        }
        return CacheFolder(variable) is { } cache ? new VolumeLocation(Path.Combine(cache, "layerbox"), IsDefault: true) : null;
    }

    private static string? CacheFolder(Func<string, string?> variable)
    {
        // The XDG base directory specification: a path that is not absolute is to be ignored.
        if (variable("XDG_CACHE_HOME") is { } cache && cache.StartsWith('/'))
            return cache;
        if (variable("HOME") is { } home && home.StartsWith('/'))
            return Path.Combine(home, ".cache");
        return null;
    }

    private static bool IsUsableProject(string folder, Func<string, string?> variable)
    {
        SafeFileHandle? directory;
        try
        {
            directory = Files.TryOpen(folder, OpenFlags.ReadOnly | OpenFlags.Directory);
        }
        catch (PosixException e) when (e.Errno == Errno.EACCES)
        {
            return false;
        }
        if (directory is null)
            return false;
        using (directory)
        {
            if (!FilesystemStatus.Of(directory, folder).IsBtrfs && !Files.Exists(Path.Combine(folder, VolumeImage.ImageName)))
                return false;
            // Nobody named this folder: somebody else's image must not get mounted because we happen to stand below it.
            uint owner = Files.Status(directory).Uid;
            if (owner != 0 && owner != ProcessOwner.EffectiveUid && variable("SUDO_UID") != owner.ToString(CultureInfo.InvariantCulture))
                throw new VolumeException(string.Create(CultureInfo.InvariantCulture, $"{folder}: belongs to user {owner}, not to you: name it with --volume if you trust it"));
            return true;
        }
    }

    /// <summary>The error for a default place that cannot be used.</summary>
    public VolumeException Unusable(PosixException e) =>
        new(IsDefault ? $"{e.Message}: the default volume cannot be made: set $XDG_CACHE_HOME to a folder that can be written, or {Advice}" : e.Message, e);
}
