using System.Text.Json;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A store, a folder with a web server on it, and a repos.json that names what is there.</summary>
internal sealed class ConfiguredRepos : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FaultyServer _server;

    public ConfiguredRepos()
    {
        Directory.CreateDirectory(PathOf(""));
        _server = new FaultyServer((path, _) => Answer(path));
    }

    /// <summary>Answers instead of the files that are there: given the path, null for the file.</summary>
    public Func<string, byte[]?>? Instead { get; set; }

    public StoreFixture Store { get; } = new();

    /// <summary>The web server's.</summary>
    public string Url => _server.Url;

    public string ConfigPath => _folder / "repos.json";

    /// <summary>Of a file that the web server has.</summary>
    public string PathOf(string name) => Path.Combine(_folder / "www", name);

    /// <summary>A file beside repos.json.</summary>
    public string Beside(string name) => _folder / name;

    /// <summary>A copy of one of the fixture's repositories, and what is to be done to it.</summary>
    public void Add(string name, string repo, string damage = ":")
    {
        Programs.Shell($"cp -r {RepoFixture.PathOf(repo)} {PathOf(name)} && cd {PathOf(name)} && {damage}");
    }

    public void Write(string name, string text) => File.WriteAllText(PathOf(name), text);

    private byte[] Answer(string path)
    {
        if (Instead?.Invoke(path) is { } own)
            return own;
        string file = PathOf(Uri.UnescapeDataString(path).TrimStart('/'));
        return File.Exists(file) ? FaultyServer.Whole(File.ReadAllBytes(file)) : FaultyServer.Answer("404 Not Found\r\nContent-Length: 0", []);
    }

    /// <summary>Runs a sync of what a repos.json says.</summary>
    /// <param name="repos">The repositories' objects; URL stands for the web server.</param>
    /// <param name="args">Further arguments.</param>
    public Tools.Result Run(string repos, params string[] args)
    {
        File.WriteAllText(ConfigPath, $"{{\"repos\": [{repos.Replace("URL", Url, StringComparison.Ordinal)}]}}");
        return Store.Run("sync", ["--config", ConfigPath, .. args]);
    }

    /// <summary>The same, of one repository, which must succeed.</summary>
    public JsonElement Sync(string members, params string[] args) => JsonDocument.Parse(Run($"{{\"name\": \"x\", {members}}}", args).AssertSucceeded().Out).RootElement.GetProperty("repos")[0];

    /// <summary>The same, which must fail with one line that says why, and leave a store that is whole.</summary>
    public string Refusal(string members, params string[] args)
    {
        int before = Directory.Exists(Store.Path) ? Store.Lines("list").Count : 0;
        Tools.Result result = Run($"{{\"name\": \"x\", {members}}}", args);
        Assert.True(result.Status == 1, $"exit status {result.Status}: {result.Err}");
        Assert.Equal("", result.Out);
        Assert.Equal(before, Store.Lines("list").Count);
        Store.AssertClean();
        return result.Err;
    }

    public void Dispose()
    {
        _server.Dispose();
        Store.Dispose();
        _folder.Dispose();
    }
}
