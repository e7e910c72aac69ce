namespace Layerbox.RpmSnapshot;

/// <summary>
/// Asks one mirror after the other for something until one has it. What failed for a reason that may pass is tried again: first from the other mirrors, then, after a
/// pause that grows, from all that are left.
/// </summary>
internal sealed class Inquiry(MirrorOrder mirrors, Transport transport, CancellationToken cancellation)
{
    private readonly List<(RepoUrl Url, string Reason)> _reasons = [];

    /// <summary>Whether the last failure of one of them may pass.</summary>
    public bool MayPass { get; private set; }

    /// <summary>What each said last that has it not, with its URL.</summary>
    public IReadOnlyList<string> Reasons => [.. _reasons.Select(pair => $"{pair.Url}: {pair.Reason}")];

    /// <summary>The same without URLs.</summary>
    public string ShortReason => string.Join("; ", _reasons.Select(pair => pair.Reason).Distinct());

    /// <param name="locate">Where a mirror has it.</param>
    /// <param name="attempt">Is given the mirror and that place; null when it could be had there, else why that will not do.</param>
    /// <returns>Whether it could be had.</returns>
    public bool Ask(Func<RepoUrl, RepoUrl> locate, Func<RepoUrl, RepoUrl, string?> attempt)
    {
        HashSet<RepoUrl> done = [];
        for (int failed = 0; ; failed++)
        {
            MayPass = false;
            TimeSpan wait = TimeSpan.Zero;
            HashSet<RepoUrl> asked = [.. done];
            foreach (RepoUrl mirror in mirrors.Now)
            {
                RepoUrl url;
                try
                {
                    url = locate(mirror);
                }
                catch (FormatException e)
                {
                    Note(mirror, e.Message); // a place that this mirror may not send us to; another one may
                    continue;
                }
                if (!asked.Add(url))
                    continue;
                string? reason;
                bool isPassing = false;
                try
                {
                    reason = attempt(mirror, url);
                }
                catch (RepoFetchException e)
                {
                    (reason, isPassing) = (e.Message, e.IsPassing);
                    wait = e.RetryAfter > wait ? e.RetryAfter.Value : wait;
                }
                if (reason is null)
                    return true;
                Note(url, reason);
                MayPass |= isPassing;
                if (isPassing)
                    mirrors.Failed(mirror);
                else
                    done.Add(url);
            }
            if (!MayPass || failed >= transport.Retries)
                return false;
            cancellation.WaitHandle.WaitOne(Transport.Pause(failed, wait));
            cancellation.ThrowIfCancellationRequested();
        }
    }

    private void Note(RepoUrl url, string reason)
    {
        _reasons.RemoveAll(pair => pair.Url == url);
        _reasons.Add((url, reason));
    }
}
