using Layerbox.FileTree;

namespace Layerbox.Rootfs;

/// <summary>Digests of many contents at once, on all processors.</summary>
public static class ContentDigests
{
    /// <summary>Asking for places costs as much as reading some blocks.</summary>
    private const int WorthAsking = 64 << 10;

    /// <summary>Those of two trees on one filesystem, such as snapshots: what both keep in the very same place is read once.</summary>
    /// <inheritdoc cref="ComputeAll(IEnumerable{FileContent}, Action{long, long})"/>
    public static void ComputeAll(Tree one, Tree other, Action<long, long>? progress = null)
    {
        List<FileContent> read = [];
        List<(FileContent Of, FileContent Same)> same = [];
        for (TreePairCursor at = new(one, other); at.MoveNext();)
        {
            (FileContent? a, FileContent? b) = (at.From?.Content, at.To?.Content);
            bool mayBeSame = a is { HasDigest: false, Size: >= WorthAsking } && b is { HasDigest: false };
            if (mayBeSame && a is DiskContent file && b is DiskContent second && file.IsStoredAs(second))
            {
                same.Add((a, b));
                a = null;
            }
            read.AddRange(new[] { a, b }.OfType<FileContent>());
        }
        ComputeAll(read, progress);
        foreach ((FileContent of, FileContent stored) in same)
            of.SetDigest(stored.Digest);
    }

    /// <summary>Computes those that are not known yet, the large ones first, so that none is left to one processor at the end.</summary>
    /// <param name="contents">Any contents; the same one may occur more than once.</param>
    /// <param name="progress">Told the contents and bytes done so far, from any thread but never from two at a time.</param>
    /// <exception cref="InvalidDataException">A file changed while it was being read.</exception>
    public static void ComputeAll(IEnumerable<FileContent> contents, Action<long, long>? progress = null)
    {
        FileContent[] unknown = [.. contents.Where(content => !content.HasDigest).Distinct().OrderByDescending(content => content.Size)];
        long files = 0, bytes = 0;
        Lock counting = new();
        int next = -1;
        Exception? failure = null;
        int workers = Math.Min(Environment.ProcessorCount, unknown.Length);
        // Threads of its own: the pool would start the second only after the first has been busy for a while.
        Thread[] threads = [.. Enumerable.Range(1, Math.Max(0, workers - 1)).Select(_ => new Thread(Work) { IsBackground = true })];
        foreach (Thread thread in threads)
            thread.Start();
        Work();
        foreach (Thread thread in threads)
            thread.Join();
        if (failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);

        void Work()
        {
            try
            {
                for (int i; failure is null && (i = Interlocked.Increment(ref next)) < unknown.Length;)
                {
                    _ = unknown[i].Digest;
                    if (progress is null)
                        continue;
                    lock (counting)
                        progress(++files, bytes += unknown[i].Size);
                }
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref failure, e, null);
            }
        }
    }
}
