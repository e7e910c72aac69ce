namespace Layerbox.Tests.Nspawn;

/// <summary>A Debian with systemd, in a folder that all tests of a class share and none changes, and systems booted from it that they enter.</summary>
public sealed class BootRoot : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, RunningTool> _running = [];
    private TempFolder? _folder;

    /// <summary>Its path, or skips the test with the reason: no root, no network to fetch it from. Under CI that is a failure.</summary>
    public string OrSkip()
    {
        Privileged.OrSkip();
        Published.OrSkip();
        lock (_lock)
        {
            if (_folder is not null)
                return _folder / "root";
            string archive = Repository.PathOf("artifacts", "debian-systemd.tar");
            (int status, _, string errors) = Programs.Try(Repository.PathOf("scripts", "make-rootfs"), "--systemd", archive);
            Assert.SkipWhen(status == 77 && Environment.GetEnvironmentVariable("CI") != "true", errors.TrimEnd().Split('\n')[^1]);
            Assert.True(status == 0, $"make-rootfs: exit status {status}: {errors}");
            TempFolder folder = new();
            System.IO.Directory.CreateDirectory(folder / "root");
            Programs.Run("tar", "--extract", "--file", archive, "--directory", folder / "root", "--numeric-owner", "--same-permissions");
            System.IO.File.WriteAllText(folder / "root/etc/machine-id", "");
            _folder = folder;
            return folder / "root";
        }
    }

    /// <summary>A path beside the root.</summary>
    public string Outside(string name)
    {
        OrSkip();
        return _folder! / name;
    }

    /// <summary>One that is up, made by this engine: its command says so and sleeps.</summary>
    internal RunningTool Running(string engine)
    {
        string root = OrSkip();
        lock (_lock)
        {
            if (_running.TryGetValue(engine, out RunningTool? known))
                return known;
            string name = $"boot-{engine}-{Guid.NewGuid():N}";
            RunningTool tool = RunningTool.Run([Published.OrSkip(), "container-run", root, "--boot", "--engine", engine, "--name", name, "--env", "A=1 2", "--", "sh", "-c", "echo up; exec sleep 1000"], name);
            tool.ReadTo("up");
            return _running[engine] = tool;
        }
    }

    public void Dispose()
    {
        foreach (RunningTool tool in _running.Values)
            tool.Dispose();
        _folder?.Dispose();
    }
}
