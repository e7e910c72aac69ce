using System.Diagnostics;
using System.Text.Json;
using Layerbox.Tests.Rpm;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>
/// Repositories made by rpmbuild and createrepo_c, once for all tests: t0; t1, in which packages came, went, were upgraded, and one has other bytes under its old
/// name; t2, the same with checksums of another type; outside, whose locations leave it.
/// </summary>
internal static class RepoFixture
{
    private static readonly Lazy<TempFolder> s_folder = new(Build);

    public static string Folder => s_folder.Value.Path;

    public static string PathOf(string repo) => Path.Combine(Folder, repo);

    /// <summary>Files of metadata that createrepo_c makes for each.</summary>
    public const int Metadata = 6;

    private static TempFolder Build()
    {
        TempFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        string t0 = folder / "t0", t1 = folder / "t1";
        foreach ((string name, string version, string text) in (ReadOnlySpan<(string, string, string)>)[("apple", "1", "x"), ("berry", "1", "x"), ("cherry", "2", "x"), ("plus+", "1", "x")])
            Package(t0, name, version, text);
        Programs.Run("createrepo_c", "--quiet", "--revision", "zero", t0);
        Programs.Shell($"cp -r {t0} {t1} && rm -r {t1}/repodata {t1}/berry-*");
        foreach ((string name, string version, string text) in (ReadOnlySpan<(string, string, string)>)[("apple", "2", "x"), ("cherry", "2", "other bytes"), ("date", "1", "x")])
            Package(t1, name, version, text);
        Programs.Run("createrepo_c", "--quiet", "--revision", "one", t1);
        Programs.Shell($"cd {folder.Path} && cp -r t1 t2 && rm -r t2/repodata && createrepo_c --quiet --revision two --checksum sha512 t2 && cp -r t0 outside && createrepo_c --quiet --location-prefix ../t0 outside");
        // Of one time: tests go back and forth between them.
        Programs.Shell($"sed -i 's/<timestamp>[^<]*/<timestamp>1700000000/' {folder.Path}/*/repodata/repomd.xml");
        return folder;
    }

    private static void Package(string folder, string name, string version, string text) => BuiltRpms.Build(folder, name, $"""
        Name: {name}
        Version: {version}
        Release: 1
        Summary: one of several
        License: MIT
        BuildArch: noarch
        %description
        {text}
        %files
        """);

    /// <summary>What a snapshot of a repository is to hold: its packages' digests.</summary>
    public static IEnumerable<string> PackageDigests(string repo) => Programs.Shell($"sha256sum {PathOf(repo)}/*.rpm | cut -c1-64").Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>A store of its own for a test, and rpm-repo-snapshot on it.</summary>
internal sealed class StoreFixture(bool isInMemory = false) : IDisposable
{
    private readonly TempFolder _folder = new(isInMemory);

    public string Path => _folder / "store";

    public Tools.Result Run(string command, params string[] args) => Tools.Run(["rpm-repo-snapshot", command, "--store", Path, .. args]);

    public JsonElement Sync(string url, params string[] args) => Parse(Run("sync", ["--repo", $"x={url}", .. args]).AssertSucceeded().Out);

    public List<JsonElement> Lines(string command, params string[] args) => [.. Run(command, args).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse)];

    /// <summary>It is whole, whatever was done to it.</summary>
    public void AssertClean()
    {
        Tools.Result result = Run("verify");
        Assert.Equal("", result.Err);
        Assert.DoesNotContain("\"code\"", result.Out, StringComparison.Ordinal);
        Assert.Equal(0, result.Status);
    }

    /// <summary>A sync that fails leaves a store without a snapshot that is whole, and what failed is told.</summary>
    public Tools.Result AssertFails(string url, params string[] expected)
    {
        Tools.Result result = Run("sync", "--repo", $"x={url}", "--retries", "1");
        Assert.True(result.Status == 1, $"exit status {result.Status}: {result.Err}");
        Assert.Equal("", result.Out);
        Assert.All(expected, text => Assert.Contains(text, result.Err, StringComparison.Ordinal));
        Assert.Empty(Lines("list"));
        AssertClean();
        return result;
    }

    public string ObjectPath(string digest) => System.IO.Path.Combine(Path, "objects", "sha256", digest[..2], digest);

    public void Dispose() => _folder.Dispose();

    private static JsonElement Parse(string line) => JsonDocument.Parse(line).RootElement;
}

/// <summary>python3 -m http.server on a folder.</summary>
internal sealed class PythonServer : IDisposable
{
    private readonly Process _process;
    private int _requests, _asked;
    private volatile string _last = "";

    public PythonServer(string folder)
    {
        _process = Process.Start(new ProcessStartInfo("python3", ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string line = _process.StandardOutput.ReadLine()!; // "Serving HTTP on 127.0.0.1 port 12345 (…"
        Url = $"http://127.0.0.1:{line.Split(" port ")[1].Split(' ')[0]}";
        _process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data?.Contains("\"GET ", StringComparison.Ordinal) == true)
                _requests++;
            else if (line.Data?.Contains("\"HEAD ", StringComparison.Ordinal) == true)
                _last = line.Data.Split("\"HEAD ")[1].Split(' ')[0];
        };
        _process.BeginErrorReadLine();
    }

    public string Url { get; }

    /// <summary>Requests so far. It logs behind our back: when it has told of one more, it has told of all before.</summary>
    public int Requests
    {
        get
        {
            string last = $"/nothing-{++_asked}";
            using (HttpClient client = new())
                client.Send(new HttpRequestMessage(HttpMethod.Head, Url + last)).Dispose();
            Assert.True(SpinWait.SpinUntil(() => _last == last, 60_000), "python3 does not log");
            return _requests;
        }
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
