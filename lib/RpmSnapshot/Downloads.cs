using System.Globalization;
using System.Security.Cryptography;
using Layerbox.RpmSnapshot.Http;

namespace Layerbox.RpmSnapshot;

/// <summary>Fetches files of one repository, several at a time.</summary>
internal sealed class Downloads(SnapshotStore store, RepoRequest request, RepoSyncOptions options) : IDisposable
{
    /// <summary>So many files in a row that could not be had for a reason that might have passed: then no other is asked for.</summary>
    private const int MaxLost = 16;

    /// <summary>
    /// Files of fewer bytes are fetched whole. Servers make names of versions from a time in seconds and the size: two repomd.xml have often both in common, when they were published in
    /// the same second or when all times are set to the same. A server that is asked whether that one is the same still would say so for ever.
    /// </summary>
    private const int LeastUnchanged = 64 << 10;

    private readonly Connector _connector = new(request.Connection, options.Transport, options.Cancellation);
    private long _count, _bytes;
    private int _lost;

    /// <summary>Base URLs, which all have the same files; the first is asked first. Not to be changed while files are fetched.</summary>
    public IReadOnlyList<RepoUrl> Mirrors { get; set; } = request.Mirrors;

    /// <summary>Files fetched.</summary>
    public long Count => _count;

    /// <summary>The bytes that came.</summary>
    public long Bytes => _bytes;

    /// <summary>A small file of the repository, from the first mirror that has an acceptable one.</summary>
    /// <param name="path">Below the base URL.</param>
    /// <param name="limit">Most bytes that make sense.</param>
    /// <param name="refuse">Says why this mirror's file will not do, so that the next one is asked; null when it will do.</param>
    /// <exception cref="RepoFetchException">No mirror has it; the message names each, and the reason.</exception>
    public SmallFile Small(string path, int limit, Func<SmallFile, string?>? refuse = null)
    {
        SmallFile? file = null;
        Inquiry inquiry = Inquiry(Mirrors);
        bool isThere = inquiry.Ask(mirror => mirror.Below(path), (mirror, url) =>
        {
            file = Get(url, limit) with { Mirror = mirror };
            return refuse?.Invoke(file);
        });
        if (!isThere)
            throw new RepoFetchException(string.Join("; ", inquiry.Reasons), inquiry.MayPass);
        return file! with { PassedOver = inquiry.Reasons };
    }

    /// <summary>A small file that need not be below a base URL, such as a list of mirrors.</summary>
    /// <exception cref="RepoFetchException">It cannot be had, or is larger than that; the message names the URL.</exception>
    public SmallFile Small(RepoUrl url, int limit)
    {
        SmallFile? file = null;
        Inquiry inquiry = Inquiry([url]);
        inquiry.Ask(url => url, (_, url) =>
        {
            file = Get(url, limit);
            return null;
        });
        return file ?? throw new RepoFetchException(string.Join("; ", inquiry.Reasons), inquiry.MayPass);
    }

    public void Dispose() => _connector.Dispose();

    /// <summary>Fetches all of these into the store.</summary>
    /// <param name="what">What they are, for progress.</param>
    /// <param name="lacking">Files that the store lacks.</param>
    /// <param name="failures">Gets those that could not be had.</param>
    public void All(string what, List<Wanted> lacking, List<RepoFailure> failures)
    {
        if (lacking.Count == 0)
            return;
        // Sizes are what strangers say: their sum may be more than there are numbers.
        long total = lacking.Aggregate(0L, (sum, item) => sum + Math.Min(item.Size ?? 0, long.MaxValue - sum)), bytes = 0, files = 0;
        // The largest first: then no connection has a large one left when the others are done.
        List<Wanted> queue = [.. lacking.OrderByDescending(item => item.Size ?? 0)];
        MirrorOrder mirrors = new(Mirrors);
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
            try
            {
                using FileDownload download = new(store, _connector, options.Transport.Throttle, count => Tell(Interlocked.Read(ref files), Interlocked.Add(ref bytes, count), count));
                while (fault is null && Interlocked.Increment(ref next) is var at && at < queue.Count)
                {
                    if (Fetch(download, queue[at], mirrors) is { } failure)
                        lock (failures)
                            failures.Add(failure);
                    Tell(Interlocked.Increment(ref files), Interlocked.Read(ref bytes), 0);
                }
            }
            // All else is the store's, and then there is no use in going on.
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref fault, e, null);
            }
        }

        void Tell(long doneFiles, long doneBytes, int more)
        {
            Interlocked.Add(ref _bytes, more);
            options.Progress?.Invoke(new TransferProgress(what, doneFiles, queue.Count, doneBytes, total));
        }
    }

    private RepoFailure? Fetch(FileDownload download, Wanted wanted, MirrorOrder mirrors)
    {
        if (Volatile.Read(ref _lost) >= MaxLost)
        {
            string given = string.Create(CultureInfo.InvariantCulture, $"not asked for, as {MaxLost} others in a row could not be had");
            return new RepoFailure(wanted.Name, $"{Mirrors[0].Locate(wanted.Location)}: {given}") { Short = given };
        }
        Inquiry inquiry = new(mirrors, options.Transport, options.Cancellation);
        if (download.Fetch(wanted, inquiry))
        {
            Interlocked.Increment(ref _count);
            Volatile.Write(ref _lost, 0);
            return null;
        }
        if (inquiry.MayPass)
            Interlocked.Increment(ref _lost);
        return new RepoFailure(wanted.Name, string.Join("; ", inquiry.Reasons)) { Short = inquiry.ShortReason };
    }

    private Inquiry Inquiry(IReadOnlyList<RepoUrl> mirrors) => new(new MirrorOrder(mirrors), options.Transport, options.Cancellation);

    /// <summary>A small file, in one try. If the server says that it is the one that is in the store, that one.</summary>
    private SmallFile Get(RepoUrl url, int limit)
    {
        using RepoConnection connection = new(_connector);
        FileVersion? known = store.Versions.Find(url) is { } version && store.SizeOf(version.Object) is { } size && size >= LeastUnchanged && size <= limit ? version : null;
        using RepoAnswer answer = connection.Ask(new RepoAsk(url) { IfNoneMatch = known?.ETag, IfModifiedSince = known?.LastModified });
        using Stream body = answer.IsUnchanged ? store.OpenObject(known!.Object) : answer.Body;
        using MemoryStream bytes = new();
        byte[] buffer = new byte[64 * 1024];
        while (body.Read(buffer) is var count and > 0)
        {
            bytes.Write(buffer, 0, count);
            if (bytes.Length > limit)
                throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"has more than {limit} bytes"));
        }
        string digest = Convert.ToHexStringLower(SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
        if (answer.IsUnchanged && digest != known!.Object)
            throw new InvalidDataException($"{store.PathOf(known.Object)}: is damaged: verify tells more");
        if (!answer.IsUnchanged && bytes.Length >= LeastUnchanged)
            store.Versions.Put(url, new FileVersion(answer.ETag, answer.LastModified, digest));
        return new SmallFile(url, bytes.ToArray());
    }
}

/// <summary>A small file as it came.</summary>
/// <param name="Mirror">The base URL that it is below; its own when it is below none.</param>
internal sealed record SmallFile(RepoUrl Mirror, byte[] Bytes)
{
    /// <summary>Mirrors that were asked before, with the reasons why theirs would not do.</summary>
    public IReadOnlyList<string> PassedOver { get; init; } = [];
}
