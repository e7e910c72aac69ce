using System.Globalization;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot.Http;

namespace Layerbox.RpmSnapshot;

/// <summary>Fetches files of one repository, several at a time.</summary>
internal sealed class Downloads(SnapshotStore store, RepoRequest request, RepoSyncOptions options) : IDisposable
{
    private const long MaxUnsaid = 16L << 30; // bytes of a file whose size the metadata does not say
    private static readonly TimeSpan[] s_pauses = [TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1)];

    private readonly Connector _connector = new(request.Connection, options.Transport, options.Cancellation);
    private long _count, _bytes;

    /// <summary>Base URLs, which all have the same files; the first is asked first. Not to be changed while files are fetched.</summary>
    public IReadOnlyList<RepoUrl> Mirrors { get; set; } = request.Mirrors;

    /// <summary>Files fetched.</summary>
    public long Count => _count;

    /// <summary>Their bytes.</summary>
    public long Bytes => _bytes;

    /// <summary>A small file of the repository, from the first mirror that has an acceptable one.</summary>
    /// <param name="path">Below the base URL.</param>
    /// <param name="limit">Most bytes that make sense.</param>
    /// <param name="refuse">Says why this mirror's file will not do, so that the next one is asked; null when it will do.</param>
    /// <exception cref="RepoFetchException">No mirror has it; the message names each, and the reason.</exception>
    public SmallFile Small(string path, int limit, Func<SmallFile, string?>? refuse = null)
    {
        List<string> reasons = [];
        foreach (RepoUrl mirror in Mirrors)
        {
            RepoUrl url = mirror.Below(path);
            try
            {
                SmallFile file = Get(url, limit) with { Mirror = mirror, PassedOver = reasons };
                if (refuse?.Invoke(file) is not { } reason)
                    return file;
                reasons.Add($"{url}: {reason}");
            }
            catch (RepoFetchException e)
            {
                reasons.Add($"{url}: {e.Message}");
            }
        }
        throw new RepoFetchException(string.Join("; ", reasons));
    }

    /// <summary>A small file that need not be below a base URL, such as a list of mirrors.</summary>
    /// <exception cref="RepoFetchException">It cannot be had, or is larger than that; the message names the URL.</exception>
    public SmallFile Small(RepoUrl url, int limit)
    {
        try
        {
            return Get(url, limit);
        }
        catch (RepoFetchException e)
        {
            throw new RepoFetchException($"{url}: {e.Message}", e.IsPassing, e);
        }
    }

    public void Dispose() => _connector.Dispose();

    private SmallFile Get(RepoUrl url, int limit)
    {
        using RepoConnection connection = RepoConnection.Open(url, _connector);
        return Patiently(() =>
        {
            using Stream body = connection.Get(url, out long? length);
            using MemoryStream bytes = new();
            byte[] buffer = new byte[64 * 1024];
            while (body.Read(buffer) is var count and > 0)
            {
                bytes.Write(buffer, 0, count);
                if (bytes.Length > limit)
                    throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"has more than {limit} bytes"));
            }
            return new SmallFile(url, bytes.ToArray());
        });
    }

    /// <summary>Fetches all of these into the store.</summary>
    /// <param name="what">What they are, for progress.</param>
    /// <param name="lacking">Files that the store lacks.</param>
    /// <param name="failures">Gets those that could not be had.</param>
    public void All(string what, List<Wanted> lacking, List<RepoFailure> failures)
    {
        if (lacking.Count == 0)
            return;
        // Sizes are what strangers say: their sum may be more than there are numbers.
        long total = lacking.Aggregate(0L, (sum, item) => sum + Math.Min(item.Size ?? 0, long.MaxValue - sum)), done = 0;
        // The largest first: then no connection has a large one left when the others are done.
        List<Wanted> queue = [.. lacking.OrderByDescending(item => item.Size ?? 0)];
        int next = -1;
        Exception? fault = null;
        Thread[] threads = [.. Enumerable.Range(0, Math.Min(options.Connections, queue.Count)).Select(_ => new Thread(Work) { IsBackground = true })];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        options.Cancellation.ThrowIfCancellationRequested();
        if (fault is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);

        void Work()
        {
            using RepoConnection connection = RepoConnection.Open(Mirrors[0], _connector);
            byte[] buffer = new byte[128 * 1024];
            try
            {
                while (fault is null && Interlocked.Increment(ref next) is var at && at < queue.Count)
                {
                    Wanted wanted = queue[at];
                    try
                    {
                        Patiently(() => Fetch(connection, wanted, buffer));
                        options.Progress?.Invoke(what, Interlocked.Add(ref done, wanted.Size ?? 0), total);
                    }
                    catch (RepoFetchException e)
                    {
                        lock (failures)
                            failures.Add(new RepoFailure(wanted.Name, $"{UrlOf(wanted)}: {e.Message}") { Short = e.Message });
                    }
                }
            }
            // All else is the store's, and then there is no use in going on.
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref fault, e, null);
            }
        }
    }

    private RepoUrl UrlOf(Wanted wanted) => Mirrors[0].Locate(wanted.Location);

    private bool Fetch(RepoConnection connection, Wanted wanted, byte[] buffer)
    {
        using Stream body = connection.Get(UrlOf(wanted), out long? length);
        if (length is { } said && wanted.Size is { } size && said != size)
            throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"has {said} bytes, which should be {size}"));
        using ObjectWriter writer = store.NewObject(wanted.Checksum.Algorithm);
        while (body.Read(buffer) is var count and > 0)
        {
            if (writer.Size + count > (wanted.Size ?? MaxUnsaid))
                throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"has more than {wanted.Size ?? MaxUnsaid} bytes"));
            writer.Write(buffer.AsSpan(0, count));
            options.Cancellation.ThrowIfCancellationRequested();
        }
        if (wanted.Size is { } all && writer.Size != all)
            throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"has {writer.Size} bytes, which should be {all}"));
        if (writer.Finish(wanted.Checksum) is null)
            throw new RepoFetchException(writer.Found is { } found ? $"is {found}, which should be {wanted.Checksum}" : $"a checksum of type {RpmDigest.NameOf(wanted.Checksum.Algorithm)} cannot be computed");
        Interlocked.Increment(ref _count);
        Interlocked.Add(ref _bytes, writer.Size);
        return true;
    }

    private T Patiently<T>(Func<T> fetch)
    {
        for (int failed = 0; ; failed++)
        {
            try
            {
                return fetch();
            }
            catch (RepoFetchException e) when (e.IsPassing && failed < s_pauses.Length)
            {
                options.Cancellation.WaitHandle.WaitOne(s_pauses[failed]);
                options.Cancellation.ThrowIfCancellationRequested();
            }
        }
    }
}

/// <summary>A small file as it came.</summary>
/// <param name="Mirror">The base URL that it is below; its own when it is below none.</param>
internal sealed record SmallFile(RepoUrl Mirror, byte[] Bytes)
{
    /// <summary>Mirrors that were asked before, with the reasons why theirs would not do.</summary>
    public IReadOnlyList<string> PassedOver { get; init; } = [];
}
