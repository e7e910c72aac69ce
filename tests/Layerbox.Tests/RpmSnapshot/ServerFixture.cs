using System.Net;
using System.Net.Sockets;
using System.Text;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A server on a snapshot "now" of a repository "x", in this process.</summary>
internal sealed class ServerFixture : IDisposable
{
    private static readonly Lazy<ServerFixture> s_shared = new(() =>
    {
        ServerFixture served = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => served.Dispose();
        return served;
    });

    private readonly List<string> _complaints = [];
    private readonly SnapshotStore _store;

    public ServerFixture(string repo = "t0", RepoServerOptions? options = null)
        : this(RepoFixture.PathOf(repo), options, store => store.Sync($"file://{RepoFixture.PathOf(repo)}", "--tag", "now"))
    {
    }

    /// <param name="folder">The repository's directory.</param>
    /// <param name="options">How it serves.</param>
    /// <param name="prepare">Makes the store, with a snapshot "now".</param>
    public ServerFixture(string folder, RepoServerOptions? options, Action<StoreFixture> prepare)
    {
        prepare(Store);
        Repo = folder;
        _store = SnapshotStore.Open(Store.Path);
        Server = RepoServer.Start(_store, [new ServedSnapshot("now", _store.Load(_store.Resolve("now")))], StreamSockets.ListenOnLoopback(0), (options ?? new RepoServerOptions()) with
        {
            Complain = line =>
            {
                lock (_complaints)
                    _complaints.Add(line);
            },
        });
    }

    /// <summary>One for all tests that only ask.</summary>
    public static ServerFixture Shared => s_shared.Value;

    public StoreFixture Store { get; } = new();

    public RepoServer Server { get; }

    /// <summary>The repository's directory.</summary>
    public string Repo { get; }

    public string[] Complaints
    {
        get
        {
            lock (_complaints)
                return [.. _complaints];
        }
    }

    /// <summary>The names of the packages' files, sorted.</summary>
    public string[] Packages => [.. Directory.GetFiles(Repo, "*.rpm").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    public Client Connect() => new(int.Parse(Server.Address.Split(':')[^1], System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>Asks on a connection of its own.</summary>
    public Answer Get(string path, string fields = "", string method = "GET")
    {
        using Client client = Connect();
        client.Ask(path, fields, method);
        return client.Read(isHead: method == "HEAD");
    }

    public void Dispose()
    {
        Server.Dispose();
        _store.Dispose();
        Store.Dispose();
    }
}

/// <summary>What a server said.</summary>
internal sealed record Answer(int Status, Dictionary<string, string> Fields, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>A connection that speaks HTTP by hand.</summary>
internal sealed class Client : IDisposable
{
    private readonly MemoryStream _line = new();

    public Client(int port)
    {
        Socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 60_000, SendTimeout = 60_000 };
        Socket.Connect(IPAddress.Loopback, port);
        Stream = new BufferedStream(new NetworkStream(Socket));
    }

    public Socket Socket { get; }

    public Stream Stream { get; }

    public void Send(string text) => Socket.Send(Encoding.Latin1.GetBytes(text));

    public void Ask(string path, string fields = "", string method = "GET") => Send($"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");

    /// <summary>Reads one answer.</summary>
    public Answer Read(bool isHead = false)
    {
        string status = ReadLine();
        Assert.StartsWith("HTTP/1.1 ", status, StringComparison.Ordinal);
        Dictionary<string, string> fields = new(StringComparer.OrdinalIgnoreCase);
        while (ReadLine() is { Length: > 0 } line)
            fields[line.Split(": ")[0]] = line.Split(": ", 2)[1];
        byte[] body = new byte[isHead ? 0 : int.Parse(fields.GetValueOrDefault("Content-Length", "0"), System.Globalization.CultureInfo.InvariantCulture)];
        Stream.ReadExactly(body);
        return new Answer(int.Parse(status.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture), fields, body);
    }

    /// <summary>Whether the server hung up, and said nothing more.</summary>
    public bool IsAtEnd()
    {
        try
        {
            return Stream.ReadByte() < 0;
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            return true;
        }
    }

    public void Dispose() => Socket.Dispose();

    private string ReadLine()
    {
        _line.SetLength(0);
        while (Stream.ReadByte() is var b && b != '\n')
            _line.WriteByte(b >= 0 ? (byte)b : throw new EndOfStreamException());
        return Encoding.Latin1.GetString(_line.ToArray()).TrimEnd('\r');
    }
}
