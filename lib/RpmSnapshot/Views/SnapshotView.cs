using System.Globalization;
using System.Text;
using Layerbox.Rpm;

namespace Layerbox.RpmSnapshot;

/// <summary>A package that a view does not have.</summary>
/// <param name="Reason">The rule that took it away.</param>
public sealed record LeftOutPackage(string Repo, PrimaryPackage Package, string Reason);

/// <summary>What a policy makes of a snapshot.</summary>
/// <param name="LeftOut">Packages that the view does not have, by repository, in the order of the metadata.</param>
/// <param name="Refusals">What the policy asks for and the snapshot does not have, a line each; with any there is no view.</param>
public sealed record SnapshotView(IReadOnlyList<LeftOutPackage> LeftOut, IReadOnlyList<string> Refusals)
{
    /// <summary>The view; null when there are refusals, or it was not to be made.</summary>
    public Snapshot? Snapshot { get; init; }

    /// <summary>Packages in the view.</summary>
    public long Packages { get; init; }

    /// <summary>Applies a policy to a snapshot.</summary>
    /// <param name="store">Opened for writing, if the view is to be made.</param>
    /// <param name="origin">The snapshot's id.</param>
    /// <param name="policy">The policy's file; it becomes an object.</param>
    /// <param name="isMade">Whether the view's objects and the view are written; they are in place when this returns.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="InvalidDataException">The policy is none, or the snapshot damaged.</exception>
    public static SnapshotView Of(SnapshotStore store, string origin, byte[] policy, bool isMade, CancellationToken cancellation = default)
    {
        VersionPolicy rules = VersionPolicy.Parse(policy);
        Snapshot snapshot = store.Load(origin);
        Dictionary<string, List<PrimaryPackage>> packages = snapshot.Repos.ToDictionary(repo => repo.Name, repo => (List<PrimaryPackage>)[.. SnapshotPackages.Parse(store, repo)]);
        PolicySelection selection = PolicySelection.Of(rules, [.. snapshot.Repos.SelectMany(repo => packages[repo.Name].Select((package, index) => PolicyPackage.Of(repo.Name, index, package)))]);
        List<LeftOutPackage> leftOut = [.. selection.LeftOut.OrderBy(pair => pair.Key.Repo, StringComparer.Ordinal).ThenBy(pair => pair.Key.Index)
            .Select(pair => new LeftOutPackage(pair.Key.Repo, packages[pair.Key.Repo][pair.Key.Index], pair.Value))];
        SnapshotView view = new(leftOut, selection.Refusals) { Packages = packages.Values.Sum(all => (long)all.Count) - leftOut.Count };
        if (!isMade || selection.Refusals.Count > 0)
            return view;
        Groups<string, int> places = selection.LeftOut.Keys.ToGroups(package => package.Repo, package => package.Index);
        List<SnapshotRepo> repos = [.. snapshot.Repos.Select(repo => places[repo.Name].Any() ? Without([.. places[repo.Name]], store, repo, packages[repo.Name], cancellation) : repo)];
        view = view with { Snapshot = new Snapshot(repos) { ViewOf = origin, Policy = Keep(store, policy) } };
        store.PutInPlace();
        return view;
    }

    /// <summary>Whether a view's repository is not its origin's: whether its repomd.xml names a primary.xml in the words that are written here. The origin may be gone.</summary>
    internal static bool IsSpliced(SnapshotStore store, SnapshotRepo repo) =>
        repo.RepomdSignature is null && Read(store, repo.Repomd).AsSpan().IndexOf(Encoding.UTF8.GetBytes(ElementStart("primary", SnapshotPackages.PrimaryOf(repo).Object))) >= 0;

    private static SnapshotRepo Without(HashSet<int> places, SnapshotStore store, SnapshotRepo repo, List<PrimaryPackage> packages, CancellationToken cancellation)
    {
        List<PrimaryPackage> kept = [.. packages.Where((_, index) => !places.Contains(index))];
        HashSet<string> keptIds = [.. kept.Select(package => package.Checksum.Digits)];
        byte[] bytes = Read(store, repo.Repomd);
        Repomd repomd = Repomd.Read(new MemoryStream(bytes));
        MetadataSplice splice = new(store, cancellation);
        List<SnapshotFile> files = [];
        int place = 0;
        byte[] written = MetadataSplice.Repomd(bytes, repomd, data =>
        {
            SnapshotFile file = repo.Files[place++];
            if (data.Type.EndsWith("_db", StringComparison.Ordinal) || data.Type.EndsWith("_zck", StringComparison.Ordinal))
                return ""; // the same packages in another form, which nobody reads when the XML is there
            if (data.Type is not ("primary" or "filelists" or "filelists-ext" or "other"))
            {
                files.Add(file);
                return null;
            }
            SplicedFile spliced = splice.Packages(file.Object, data.Type == "primary"
                ? (index, _) => places.Contains(index)
                : (_, tag) => !keptIds.Contains(Encoding.Latin1.GetString(MarkupPieces.Attribute(tag, "pkgid"u8)).Trim().ToLowerInvariant()), kept.Count);
            if (data.Type == "primary" && spliced.Elements != packages.Count)
                throw new InvalidDataException($"{repo.Name}: {file.Location}: its packages cannot be told apart");
            if (data.Type == "primary")
                store.Index.Note(spliced.Digest, kept);
            files.Add(new SnapshotFile(data.Type, $"repodata/{spliced.Digest}-{data.Type}.xml.gz", spliced.Digest, spliced.Size));
            return Element(data, spliced, files[^1].Location);
        });
        HashSet<string> gone = [.. packages.Where((_, index) => places.Contains(index)).Select(package => package.Checksum.ToString())];
        gone.ExceptWith(kept.Select(package => package.Checksum.ToString()));
        HashSet<string> holes = [.. repo.Missing.Select(hole => hole.Checksum)];
        return repo with
        {
            Repomd = Keep(store, written),
            // The signature is one of other bytes.
            RepomdSignature = null,
            Files = files,
            Packages = kept.Count,
            PackageBytes = kept.Where(package => !holes.Contains(package.Checksum.ToString())).Sum(package => SizeOf(store, repo, package)),
            Missing = [.. repo.Missing.Where(hole => !gone.Contains(hole.Checksum))],
        };
    }

    // Also of what is not here yet, and of nothing that is lost: a view must not depend on that.
    private static long SizeOf(SnapshotStore store, SnapshotRepo repo, PrimaryPackage package)
    {
        string digest = store.Locate(package.Checksum, null) ?? throw SnapshotPackages.Unknown(repo, package);
        if (store.SizeOf(digest) is null && package.PackageSize is { } said)
            return said;
        store.Bring(digest);
        return store.SizeOf(digest) ?? 0;
    }

    private static string Element(RepomdData data, SplicedFile file, string location)
    {
        string timestamp = data.Timestamp is { } time ? $"\n    <timestamp>{time.ToString(CultureInfo.InvariantCulture)}</timestamp>" : "";
        return string.Create(CultureInfo.InvariantCulture, $"""
            {ElementStart(data.Type, file.Digest)}
                <open-checksum type="sha256">{file.OpenDigest}</open-checksum>
                <location href="{location}"/>{timestamp}
                <size>{file.Size}</size>
                <open-size>{file.OpenSize}</open-size>
              </data>
            """);
    }

    private static string ElementStart(string type, string digest) => $"""
        <data type="{type}" xmlns="http://linux.duke.edu/metadata/repo">
            <checksum type="sha256">{digest}</checksum>
        """;

    private static byte[] Read(SnapshotStore store, string digest)
    {
        using Stream stream = store.OpenObject(digest);
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        return bytes.ToArray();
    }

    private static string Keep(SnapshotStore store, byte[] bytes)
    {
        using ObjectWriter writer = store.NewObject();
        writer.Write(bytes);
        return writer.Finish(null)!;
    }
}
