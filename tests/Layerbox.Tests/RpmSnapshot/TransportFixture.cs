using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A store, and syncs into it with settings that only a configuration has.</summary>
internal sealed class TransportFixture : IDisposable
{
    private readonly TempFolder _folder = new();

    public StoreFixture Store { get; } = new();

    public Transport Transport { get; init; } = new() { Patience = TimeSpan.FromSeconds(20) };

    public string File(string name) => _folder / name;

    /// <summary>Fetches, and fails unless it is whole.</summary>
    public RepoResult Sync(ConnectionSettings settings, params string[] urls)
    {
        RepoResult result = Try(settings, urls);
        Assert.Equal([], result.Failures.Select(failure => $"{failure.What}: {failure.Reason}"));
        Assert.NotNull(result.Repo);
        Store.AssertClean();
        return result;
    }

    /// <summary>Fetches, and fails unless that failed, with these words in its only line.</summary>
    public string AssertFails(ConnectionSettings settings, string url, string expected)
    {
        RepoFailure failure = Assert.Single(Try(settings, url).Failures);
        Assert.Contains(expected, failure.Reason, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', failure.Reason);
        Store.AssertClean();
        return failure.Reason;
    }

    public RepoResult Try(ConnectionSettings settings, params string[] urls)
    {
        using SnapshotStore store = SnapshotStore.OpenForWriting(Store.Path, create: true);
        RepoResult result = RepoSync.Run(store, new RepoRequest("x", [.. urls.Select(RepoUrl.Parse)], settings), new RepoSyncOptions { Transport = Transport, Connections = 2, Cancellation = TestContext.Current.CancellationToken });
        store.PutInPlace();
        return result;
    }

    public void Dispose()
    {
        Store.Dispose();
        _folder.Dispose();
    }
}
