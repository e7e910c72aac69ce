using System.Runtime.ExceptionServices;

namespace Layerbox.RpmSnapshot;

/// <summary>Work on many files by several threads.</summary>
internal static class Concurrently
{
    /// <summary>Does the same for each; the first failure ends it, and is thrown as it is.</summary>
    public static void ForEach<T>(IEnumerable<T> items, Action<T> act, CancellationToken cancellation) => ForEach(items, -1, act, cancellation);

    /// <param name="threads">At most so many at the same time; -1: as many as there are processors.</param>
    public static void ForEach<T>(IEnumerable<T> items, int threads, Action<T> act, CancellationToken cancellation)
    {
        try
        {
            Parallel.ForEach(items, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, act);
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }
}
