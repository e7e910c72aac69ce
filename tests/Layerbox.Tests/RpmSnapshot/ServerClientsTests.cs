using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Clients that are many, slow, silent or gone do no harm to the others.</summary>
public class ServerClientsTests
{
    [Fact]
    public void A_thousand_silent_clients_keep_nobody_waiting()
    {
        using ServerFixture served = new();
        List<Client> idle = [.. Enumerable.Range(0, 1000).Select(_ => served.Connect())];
        try
        {
            // Some have said half of what they want.
            for (int i = 0; i < idle.Count; i += 3)
                idle[i].Send("GET / HTTP/1.1\r\nHost:");
            Assert.All(served.Packages, file => Assert.Equal(200, served.Get($"/now/x/{file}").Status));
            for (int i = 0; i < idle.Count; i += 3)
            {
                idle[i].Send(" x\r\n\r\n");
                Assert.Equal(200, idle[i].Read().Status);
            }
        }
        finally
        {
            idle.ForEach(client => client.Dispose());
        }
    }

    [Fact]
    public void For_one_client_too_many_an_idle_one_goes()
    {
        using BigFixture served = new(new RepoServerOptions { MaxConnections = 2 });
        using Client first = served.Connect(), second = served.Connect();
        // So that it is known that they are there, and which of them was idle for longer.
        foreach (Client client in (Client[])[first, second])
        {
            client.Ask("/");
            Assert.Equal(200, client.Read().Status);
            long now = Environment.TickCount64;
            Assert.True(SpinWait.SpinUntil(() => Environment.TickCount64 > now, 60_000));
        }
        using Client third = served.Connect();
        third.Ask("/big/x/big");
        third.Stream.ReadExactly(new byte[1000]);
        second.Ask("/big/x/big");
        second.Stream.ReadExactly(new byte[1000]);
        Assert.True(first.IsAtEnd());
        // Both are at something now, and stay so: what they asked for is more than what lies in buffers.
        using Client fourth = served.Connect();
        Assert.Equal(503, fourth.Read().Status);
        Assert.True(fourth.IsAtEnd());
    }

    [Fact]
    public void Who_says_or_takes_nothing_for_long_is_dropped()
    {
        using (ServerFixture impatient = new(options: new RepoServerOptions { IdleMilliseconds = 300 }))
        {
            using Client silent = impatient.Connect();
            Assert.True(silent.IsAtEnd());
        }
        using BigFixture served = new(new RepoServerOptions { HeadMilliseconds = 300, SendMilliseconds = 300 });
        using Client half = served.Connect(), greedy = served.Connect();
        half.Send("GET / HTTP/1.1\r\n");
        greedy.Ask("/big/x/big");
        Assert.Equal(408, half.Read().Status);
        Assert.True(half.IsAtEnd());
        // What he does not take stays in buffers; then nothing more comes.
        Assert.True(SpinWait.SpinUntil(() => served.Log.Any(request => request is { Method: "GET", Target: "/big/x/big", Bytes: < BigFixture.Size }), 60_000));
        long count = 0;
        try
        {
            byte[] buffer = new byte[1 << 20];
            while (greedy.Stream.Read(buffer) is var n and > 0)
                count += n;
        }
        catch (IOException)
        {
        }
        Assert.InRange(count, 1, BigFixture.Size);
    }

    [Fact]
    public void A_slow_reader_gets_all_and_keeps_nobody_waiting()
    {
        using BigFixture served = new();
        using Client slow = served.Connect();
        slow.Ask("/big/x/big");
        using Client other = served.Connect();
        for (int i = 0; i < 100; i++)
        {
            other.Ask("/big/x/repodata/repomd.xml");
            Assert.Equal(200, other.Read().Status);
        }
        Assert.Equal(BigFixture.Size, slow.Read().Body.Length);
        slow.Ask("/");
        Assert.Equal(200, slow.Read().Status);
    }

    [Fact]
    public async Task Running_transfers_end_before_the_server_does()
    {
        using BigFixture served = new();
        using Client running = served.Connect(), idle = served.Connect();
        idle.Ask("/");
        idle.Read();
        running.Ask("/big/x/big");
        byte[] first = new byte[1000];
        running.Stream.ReadExactly(first);
        Task<bool> stopped = Task.Run(() => served.Server.Stop(TimeSpan.FromMinutes(2)), TestContext.Current.CancellationToken);
        Assert.True(idle.IsAtEnd());
        Assert.False(stopped.IsCompleted);
        // At once but for a program that another thread is just starting, which has a copy of all our sockets for a moment.
        Patience.Until(() => Record.Exception(() => served.Connect().Dispose()) is SocketException { SocketErrorCode: SocketError.ConnectionRefused }, "the server to take nobody any more");
        long rest = 0;
        byte[] buffer = new byte[1 << 20];
        while (running.Stream.Read(buffer) is var n and > 0)
            rest += n;
        Assert.InRange(rest, BigFixture.Size - 1000 + 1, BigFixture.Size);
        Assert.True(await stopped);
    }

    [Fact]
    public void Without_patience_transfers_are_cut_off()
    {
        using BigFixture served = new();
        using Client running = served.Connect();
        running.Ask("/big/x/big");
        running.Stream.ReadExactly(new byte[1000]);
        Assert.False(served.Server.Stop(TimeSpan.Zero));
    }

    [Fact]
    public void The_tool_tells_where_it_is_and_ends_when_it_is_told()
    {
        using StoreFixture store = new();
        using TempFolder folder = new();
        store.Sync($"file://{RepoFixture.PathOf("t0")}", "--tag", "now");
        using Process process = Process.Start(new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "layerbox"), ["rpm-repo-serve", "--store", store.Path, "now", "--unix", folder / "socket", "--url-file", folder / "urls", "--log"])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            string line = process.StandardOutput.ReadLine()!;
            Assert.Equal(line, File.ReadAllText(folder / "urls").TrimEnd('\n'));
            JsonElement said = JsonDocument.Parse(line).RootElement;
            Assert.Equal($"unix:{folder / "socket"}", said.GetProperty("address").GetString());
            Assert.Equal("http://localhost/now/x/", said.GetProperty("repos")[0].GetProperty("url").GetString());
            using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(folder / "socket"));
            socket.Send("GET /now/x/repodata/repomd.xml HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"u8.ToArray());
            using StreamReader answer = new(new NetworkStream(socket));
            Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer.ReadToEnd(), StringComparison.Ordinal);
            Assert.Equal($"{{\"status\":200,\"method\":\"GET\",\"path\":\"/now/x/repodata/repomd.xml\",\"bytes\":{new FileInfo(Path.Combine(RepoFixture.PathOf("t0"), "repodata/repomd.xml")).Length}}}", process.StandardOutput.ReadLine());
            // While it is served it is not collected.
            store.Run("untag", "now").AssertSucceeded();
            store.Run("gc", "--keep-last", "0").AssertSucceeded();
            Assert.Single(store.Lines("list"));
            // The socket of one that still listens is not taken away from it.
            Tools.Result second = Tools.Run("rpm-repo-serve", "--store", store.Path, said.GetProperty("repos")[0].GetProperty("id").GetString()!, "--unix", folder / "socket");
            Assert.Equal((2, $"rpm-repo-serve: {folder / "socket"}: bind: Address already in use"), (second.Status, second.FirstErrorLine));
            Programs.Run("kill", "-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal(("", ""), (process.StandardOutput.ReadToEnd(), process.StandardError.ReadToEnd()));
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            Assert.False(File.Exists(folder / "socket"));
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
        store.Run("gc", "--keep-last", "0").AssertSucceeded();
        Assert.Empty(store.Lines("list"));
    }

    [Theory]
    [InlineData("no snapshot 'nothing'", "nothing")]
    [InlineData("--port 70000: from 0 to 65535", "now", "--port", "70000")]
    [InlineData("only one of --port, --unix and --fd is possible", "now", "--port", "1", "--unix", "x")]
    [InlineData("--fd 77: no such descriptor was handed to us", "now", "--fd", "77")]
    [InlineData("the path of a socket has from 1 to 107 bytes", "now", "--unix", "/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("--grace -1: at least 0", "now", "--grace", "-1")]
    [InlineData("--connections 0: at least 1", "now", "--connections", "0")]
    public void Bad_requests_of_the_user_are_told(string expected, params string[] args)
    {
        Tools.Result result = Tools.Run(["rpm-repo-serve", "--store", ServerFixture.Shared.Store.Path, .. args]);
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.Contains(expected, result.FirstErrorLine, StringComparison.Ordinal);
    }

    /// <summary>A server with a file that is larger than what lies in buffers between it and a client.</summary>
    private sealed class BigFixture : IDisposable
    {
        public const long Size = 48 << 20;

        private readonly StoreFixture _folder = new();
        private readonly SnapshotStore _store;
        private readonly List<ServedRequest> _log = [];

        public BigFixture(RepoServerOptions? options = null)
        {
            string id = _folder.Sync($"file://{RepoFixture.PathOf("t0")}").GetProperty("snapshot").GetString()!;
            Snapshot snapshot;
            using (SnapshotStore store = SnapshotStore.OpenForWriting(_folder.Path))
            {
                using ObjectWriter writer = store.NewObject();
                byte[] zeros = new byte[1 << 20];
                for (long size = 0; size < Size; size += zeros.Length)
                    writer.Write(zeros);
                string big = writer.Finish(null)!;
                store.PutInPlace();
                snapshot = new Snapshot([store.Load(id).Repos[0] with { Extra = [new SnapshotExtra("big", big, Size)] }]);
                store.Add(snapshot);
            }
            _store = SnapshotStore.Open(_folder.Path);
            Server = RepoServer.Start(_store, [new ServedSnapshot("big", snapshot)], StreamSockets.ListenOnLoopback(0), (options ?? new RepoServerOptions()) with
            {
                Log = request =>
                {
                    lock (_log)
                        _log.Add(request);
                },
            });
            // Compared once, so that this takes no time later.
            using Client client = Connect();
            client.Ask("/big/x/big", method: "HEAD");
            client.Read(isHead: true);
        }

        public RepoServer Server { get; }

        public ServedRequest[] Log
        {
            get
            {
                lock (_log)
                    return [.. _log];
            }
        }

        public Client Connect() => new(int.Parse(Server.Address.Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture));

        public void Dispose()
        {
            Server.Dispose();
            _store.Dispose();
            _folder.Dispose();
        }
    }
}
