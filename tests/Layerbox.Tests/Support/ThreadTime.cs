using System.Runtime.InteropServices;

namespace Layerbox.Tests;

/// <summary>What this thread has had of a processor: the clock on the wall also counts what others do, and the process's time what other tests do.</summary>
internal static partial class ThreadTime
{
    public static TimeSpan Now
    {
        get
        {
            const int CLOCK_THREAD_CPUTIME_ID = 3;
            long[] time = new long[2]; // struct timespec
            Assert.Equal(0, clock_gettime(CLOCK_THREAD_CPUTIME_ID, time));
            return TimeSpan.FromSeconds(time[0]) + TimeSpan.FromTicks(time[1] / 100);
        }
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, [Out] long[] time);
}
