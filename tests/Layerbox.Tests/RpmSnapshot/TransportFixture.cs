using Layerbox.RpmSnapshot;
using Layerbox.Tests.Rpm;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A store, and syncs into it with settings that only a configuration has.</summary>
internal sealed class TransportFixture : IDisposable
{
    private readonly TempFolder _folder = new(isInMemory: true);

    public StoreFixture Store { get; } = new(isInMemory: true);

    public int Connections { get; init; } = 2;

    public Transport Transport { get; set; } = new() { Patience = TimeSpan.FromSeconds(20), Retries = 1 };

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

    /// <summary>A repository of one package, which has a mebibyte that cannot be compressed and more.</summary>
    public static string BigRepo => s_big.Value.Path;

    /// <summary>The name of its package.</summary>
    public const string BigPackage = "big-1-1.noarch.rpm";

    private static readonly Lazy<TempFolder> s_big = new(BuildBig);

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
        RepoResult result = RepoSync.Run(store, new RepoRequest("x", [.. urls.Select(RepoUrl.Parse)], settings), new RepoSyncOptions { Transport = Transport, Connections = Connections, Cancellation = TestContext.Current.CancellationToken });
        store.PutInPlace();
        return result;
    }

    public void Dispose()
    {
        Store.Dispose();
        _folder.Dispose();
    }

    private static TempFolder BuildBig()
    {
        TempFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        BuiltRpms.Build(folder.Path, "big", """
            Name: big
            Version: 1
            Release: 1
            Summary: large
            License: MIT
            BuildArch: noarch
            %description
            x
            %install
            mkdir -p %buildroot
            head -c 1200000 /dev/urandom > %buildroot/noise
            %files
            /noise
            """);
        Programs.Run("createrepo_c", "--quiet", folder.Path);
        return folder;
    }
}
