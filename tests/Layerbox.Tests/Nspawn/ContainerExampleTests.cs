using System.Text;
using System.Text.RegularExpressions;
using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>The examples of docs/containers.md that need a person at a terminal, a bundle or a volume of one's own, run as they are written there.</summary>
public sealed partial class ContainerExampleTests(ContainerExampleTests.Place place) : IClassFixture<ContainerExampleTests.Place>
{
    private const string LayerPrompt = "[web] root:/# ", WebPrompt = "[web] web:/$ ", RootPrompt = "[root] root:/# ";

    /// <summary>What a person sees and types, and the exit status in the end.</summary>
    private sealed record Dialogue(int Status, params (string Seen, string Typed)[] Turns)
    {
        /// <summary>What has to run already, and is ended afterwards.</summary>
        public string? Before { get; init; }
    }

    private static readonly Dictionary<string, Dialogue> Dialogues = new()
    {
        ["container-run ./root"] = new(3, (RootPrompt, "tty; exit 3\r"), ("/dev/pts/0\r\n", "")),
        ["container-run web.layer"] = new(0, (LayerPrompt, "id -u\r"), ("0\r\n", ""), (LayerPrompt, "exit\r")),
        ["container-run web.layer --shell --user web"] = new(0, (WebPrompt, "id -un\r"), ("web\r\n", ""), (WebPrompt, "\x04")),
        ["container-run web.layer -- vi /etc/web.conf"] = new(0, ("port 80", "done\r"), ("wrote done\r\n", "")),
        // Folders are blue, which ls does on a terminal alone, and less shows so with -R.
        ["container-run web.layer --tty -- ls --color /etc </dev/null | less -R"] = new(0, ("34mweb.d", ""), ("(END)", "q")),
        ["container-run web.layer --no-tty -- /usr/bin/web --self-test"] = new(0, ("fine --self-test", "")),
        ["container-enter web"] = new(5, (LayerPrompt, "echo $MARK; exit 5\r"), ("of-the-container\r\n", "")) { Before = "container-run web.layer --name web --env MARK=of-the-container -- sleep 1000" },
        ["container-enter web --timeout 10s --no-tty -- /usr/bin/web --status </dev/null"] = new(0, ("fine --status", "")) { Before = "container-run web.layer --name web -- sleep 1000" },
        // What "crun spec" says: a shell on a terminal, in a root that is read-only.
        ["container-run --bundle ./bundle"] = new(7, ("# ", "echo x >/file; hostname; exit 7\r"), ("Read-only file system", ""), ("crun\r\n", "")),
        ["container-run web.layer --volume /srv/layers -- /usr/bin/web --self-test"] = new(0, ("fine --self-test", "")),
    };

    public static TheoryData<string> Examples => [.. Dialogues.Keys];

    [Fact]
    public void No_other_example_is_like_these() => Assert.Equal(Dialogues.Keys.Order(StringComparer.Ordinal), Wanted().Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Examples))]
    public void Runs_as_written(string example)
    {
        Dialogue dialogue = Dialogues[example];
        using TerminalSession? before = dialogue.Before is { } command ? place.Start(command) : null;
        if (before is not null)
            Patience.Until(() => place.Run("container-list").Contains("\"name\":\"web\"", StringComparison.Ordinal), "the container");
        using TerminalSession session = place.Start(example);
        foreach ((string seen, string typed) in dialogue.Turns)
        {
            session.Await(seen);
            if (typed.Length > 0)
                session.Type(typed);
        }
        Assert.Equal(dialogue.Status, session.End());
    }

    // All of them, and those elsewhere on the page with a terminal, without a comment.
    private static IEnumerable<string> Wanted()
    {
        string page = System.IO.File.ReadAllText(Repository.PathOf("docs", "containers.md"));
        foreach (string part in page.Split("\n## "))
        {
            foreach (string line in Block().Matches(part).SelectMany(block => block.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)))
            {
                string example = Comment().Replace(line, "");
                if (part.StartsWith("Terminals\n", StringComparison.Ordinal) || line.Contains("# a shell", StringComparison.Ordinal) || example.Contains("--no-tty", StringComparison.Ordinal)
                    || example.Contains("--bundle", StringComparison.Ordinal) || example.Contains("--volume", StringComparison.Ordinal))
                    yield return example;
            }
        }
    }

    [GeneratedRegex("```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(" +#.*")]
    private static partial Regex Comment();

    /// <summary>A folder with what the examples name, and a shell in it in which /srv/layers is a volume and the tools are on PATH.</summary>
    public sealed class Place : IDisposable
    {
        private const string Layer = """
            {
              "name": "web",
              "features": [
                {"item": "extract", "root": "/", "programs": ["/usr/bin/dash", "/usr/bin/id", "/usr/bin/ls", "/usr/bin/cat", "/usr/bin/sleep"]},
                {"item": "symlink", "target": "/usr/bin/dash", "link": "/usr/bin/sh"},
                {"item": "text", "dest": "/usr/bin/web", "mode": "0755", "text": "#!/usr/bin/sh\necho fine $*\n"},
                {"item": "text", "dest": "/usr/bin/vi", "mode": "0755", "text": "#!/usr/bin/sh\ncat $1; read line; echo wrote $line\n"},
                {"item": "ensure_dirs", "path": "/etc/web.d"},
                {"item": "text", "dest": "/etc/web.conf", "text": "port 80\n"},
                {"item": "text", "dest": "/etc/passwd", "text": "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/sh\n"},
                {"item": "text", "dest": "/etc/group", "text": "root:x:0:\nweb:x:34:\n"}
              ]
            }
            """;

        // $1 is the folder, $2 the volume, $3 what to do there.
        private const string Enter = "mount -t tmpfs none /srv && mkdir /srv/layers && mount --bind \"$2\" /srv/layers && cd \"$1\" && exec bash -c \"$3\"";

        private readonly Lock _lock = new();
        private ContainerRoot? _root;
        private TempVolume? _volume;

        internal TerminalSession Start(string line) => TerminalSession.Of(Shell(line));

        public string Run(string line) => ChildProcess.Run(Shell(line)).ThrowIfFailed().OutputText;

        public void Dispose()
        {
            _volume?.Dispose();
            _root?.Dispose();
        }

        private ProgramStart Shell(string line)
        {
            lock (_lock)
            {
                if (_volume is null)
                    Prepare();
            }
            return new ProgramStart("unshare", "--mount", "bash", "-c", Enter, "bash", _root!.Outside(""), _volume!.Path, line)
            {
                Environment =
                [
                    $"PATH={_root.Outside("bin")}:/usr/bin:/bin:/usr/sbin:/sbin", "TERM=xterm", $"HOME={_root.Outside("")}", "LC_ALL=C", "LESSHISTFILE=-",
                    .. line.Contains("--volume", StringComparison.Ordinal) ? Array.Empty<string>() : ["LAYERBOX_VOLUME=/srv/layers"],
                ],
            };
        }

        private void Prepare()
        {
            foreach (string program in (string[])["less", "crun"])
                Assert.SkipWhen(ProgramStart.TryFind(program) is null, $"{program} is not installed");
            string published = Published.OrSkip();
            _root = ContainerRoot.OrSkip();
            System.IO.Directory.CreateDirectory(_root.Outside("bin"));
            foreach (string tool in (string[])["container-run", "container-enter", "container-list", "layer-compile"])
                System.IO.File.CreateSymbolicLink(_root.Outside($"bin/{tool}"), published);
            System.IO.File.WriteAllText(_root.Outside("web.layer.json"), Layer, new UTF8Encoding(false));
            System.IO.Directory.CreateDirectory(_root.Outside("bundle"));
            _volume = TempVolume.OrSkip();
            Run("layer-compile web.layer.json > web.layer && cd bundle && crun spec && cp -a ../root rootfs && ln -s usr/lib usr/lib64 rootfs/ 2>/dev/null; ln -s usr/bin rootfs/bin; test -e rootfs/bin/sh");
        }
    }
}
