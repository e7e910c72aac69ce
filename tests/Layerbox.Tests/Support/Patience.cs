using System.Diagnostics;
using System.Globalization;

namespace Layerbox.Tests;

/// <summary>Waiting on a machine of which nobody knows how slow it is and what else it does.</summary>
internal static class Patience
{
    /// <summary>Nothing that happens at all takes as long: ends a test that waits for what never comes.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>Waits until something is so; fails when it never is.</summary>
    public static void Until(Func<bool> isSo, string what)
    {
        Stopwatch waited = Stopwatch.StartNew();
        for (int pause = 1; !isSo(); pause = Math.Min(2 * pause, 50))
        {
            Assert.True(waited.Elapsed < Limit, $"waited for {what}");
            Thread.Sleep(pause);
        }
    }

    /// <summary>
    /// Times that something under test is given which has to run out, but not before something else has happened: each is twice as long
    /// as the one before, and the test takes the first that was long enough.
    /// </summary>
    public static IEnumerable<TimeSpan> Doubled(TimeSpan first)
    {
        for (TimeSpan time = first; time < Limit; time *= 2)
            yield return time;
        Assert.Fail($"even {Limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} s were too short");
    }
}
