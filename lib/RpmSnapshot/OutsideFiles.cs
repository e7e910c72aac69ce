using System.Globalization;
using Layerbox.Compression;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// Gives files that a repository has outside of itself ("../pool/x.rpm", another server) a place inside: .outside/N/NAME, where N counts the folders that they come
/// from in the order of the metadata. The metadata is rewritten to say so; its signature does not fit any more and is left out.
/// </summary>
internal sealed class OutsideFiles
{
    private const string Folder = ".outside";

    private readonly Dictionary<(string? Base, string Folder), int> _folders = [];

    /// <summary>Where a file is to be; null: where it is, inside.</summary>
    public string? PlaceOf(RepoLocation location)
    {
        if (location.Place == RepoPlace.Inside)
            return null;
        int slash = location.Path.LastIndexOf('/');
        (string? Base, string Folder) from = (location.Base, location.Path[..(slash + 1)]);
        if (!_folders.TryGetValue(from, out int number))
            _folders[from] = number = _folders.Count;
        // In a URL that was of its own these had a meaning.
        string name = location.Path[(slash + 1)..].Replace("?", "%3F", StringComparison.Ordinal).Replace("#", "%23", StringComparison.Ordinal);
        return string.Create(CultureInfo.InvariantCulture, $"{Folder}/{number}/{name}");
    }

    /// <summary>Writes the metadata of a repository anew, all whose files <see cref="PlaceOf"/> was asked for before.</summary>
    /// <param name="store">Where it is.</param>
    /// <param name="repo">The repository.</param>
    /// <param name="changesPrimary">Whether any package is outside; else repomd.xml alone is.</param>
    /// <exception cref="InvalidDataException">It cannot be changed in place.</exception>
    public (RepoFile Repomd, RepoFile? Primary) Rewrite(SnapshotStore store, SnapshotRepo repo, bool changesPrimary)
    {
        ReplacedData? replaced = null;
        RepoFile? primary = null;
        if (changesPrimary)
        {
            RpmChecksum openChecksum = default;
            long openSize = 0;
            SnapshotFile original = repo.Files.First(file => file.Type == "primary");
            MadeFile made = Make(output =>
            {
                using Stream packed = store.OpenObject(original.Object);
                using Stream open = RepoMetadata.Open(packed, out _);
                using Stream gzip = Compressed.OpenWrite(output, CompressionKind.Gzip, leaveOpen: true);
                using DigestedOutput digested = new(gzip);
                LocationRewriter.RewritePrimary(open, digested, Place);
                (openChecksum, openSize) = (digested.Checksum(), digested.Size);
            });
            primary = made.At($"repodata/{made.Checksum.Digits}-primary.xml.gz");
            replaced = new ReplacedData(primary.Path, made.Checksum, made.Size, openChecksum, openSize);
        }
        MadeFile repomd = Make(output =>
        {
            using Stream source = store.OpenObject(repo.Repomd);
            LocationRewriter.RewriteRepomd(source, output, replaced, Place);
        });
        return (repomd.At(RepoFiles.RepomdPath), primary);
    }

    private string? Place(string href, string? baseUrl)
    {
        try
        {
            return PlaceOf(RepoLocation.Parse(href, baseUrl));
        }
        catch (FormatException e)
        {
            throw new InvalidDataException(e.Message, e);
        }
    }

    private static MadeFile Make(Action<Stream> write)
    {
        SafeFileHandle file = Files.OpenTemporary(Path.GetTempPath());
        try
        {
            // Not disposed: the file stays open.
            BufferedStream buffered = new(new FdStream(file, "a temporary file"), 64 * 1024);
            using DigestedOutput digested = new(buffered);
            write(digested);
            buffered.Flush();
            return new MadeFile(file, digested.Checksum(), digested.Size);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private sealed record MadeFile(SafeFileHandle File, RpmChecksum Checksum, long Size)
    {
        public RepoFile At(string path) => new(path, Checksum, Size) { Made = File };
    }
}
