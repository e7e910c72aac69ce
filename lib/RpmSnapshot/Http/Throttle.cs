using System.Diagnostics;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>Holds all connections together to a number of bytes a second.</summary>
internal sealed class Throttle(long bytesPerSecond)
{
    private const int Slices = 16; // of a second: what is read in one go

    private readonly Lock _lock = new();
    private long _free; // the time at which the next byte may come

    /// <summary>Most bytes that should be read in one go.</summary>
    public int Portion { get; } = (int)Math.Clamp(bytesPerSecond / Slices, 1, 128 * 1024);

    /// <summary>Waits until these bytes, which came, are within the limit.</summary>
    public void Took(int bytes, CancellationToken cancellation)
    {
        TimeSpan wait;
        lock (_lock)
        {
            long now = Stopwatch.GetTimestamp();
            _free = Math.Max(_free, now) + (long)((double)bytes / bytesPerSecond * Stopwatch.Frequency);
            wait = Stopwatch.GetElapsedTime(now, _free);
        }
        cancellation.WaitHandle.WaitOne(wait);
        cancellation.ThrowIfCancellationRequested();
    }
}
