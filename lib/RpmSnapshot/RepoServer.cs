using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Layerbox.Posix;
using Layerbox.RpmSnapshot.Serving;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>A snapshot that is served.</summary>
/// <param name="Name">What it is called in URLs, besides its id.</param>
/// <param name="Snapshot">What it is.</param>
public sealed record ServedSnapshot(string Name, Snapshot Snapshot);

/// <summary>A request that was answered.</summary>
/// <param name="Method">Null of what was no request.</param>
/// <param name="Target">The path that was asked for, as it was sent.</param>
/// <param name="Status">Of the answer.</param>
/// <param name="Bytes">Bytes of its body that were sent.</param>
public readonly record struct ServedRequest(string? Method, string? Target, int Status, long Bytes);

/// <summary>How a server treats its clients.</summary>
public sealed record RepoServerOptions
{
    /// <summary>Clients at the same time. For one more, one that is idle is dropped; if none is, he is told to come again.</summary>
    public int MaxConnections { get; init; } = 4096;

    /// <summary>How long a connection is kept on which nothing is asked for.</summary>
    public int IdleMilliseconds { get; init; } = 75_000;

    /// <summary>How long a client may take to say what it wants.</summary>
    public int HeadMilliseconds { get; init; } = 20_000;

    /// <summary>How long a client may take nothing of what it asked for.</summary>
    public int SendMilliseconds { get; init; } = 60_000;

    /// <summary>Told of what is wrong with the store, one line each. Called by the server's thread.</summary>
    public Action<string> Complain { get; init; } = _ => { };

    /// <summary>Told which file was asked for that is not there, and why: not damage, but who asked hears no more than 503.</summary>
    public Action<string> Lacks { get; init; } = _ => { };

    /// <summary>Told of each request. Called by the server's thread, which must not have to wait.</summary>
    public Action<ServedRequest>? Log { get; init; }
}

/// <summary>
/// Serves snapshots by HTTP/1.1 as repositories: /NAME/REPO/repodata/repomd.xml and so on, in which NAME is what the snapshot was called or its id. "/" lists
/// them as JSON.
/// </summary>
public sealed class RepoServer : IDisposable
{
    private readonly ServerLoop _loop;
    private readonly Thread _thread;
    private readonly List<SnapshotHold> _held;
    private bool _isWhole;
    private bool _isStopped;

    private RepoServer(ServerLoop loop, string address, IReadOnlyList<ServedSnapshot> snapshots, List<SnapshotHold> held)
    {
        (_loop, Address, Snapshots, _held) = (loop, address, snapshots, held);
        _thread = new Thread(() => _isWhole = _loop.Run()) { IsBackground = true, Name = "serve" };
        _thread.Start();
    }

    /// <summary>"http://127.0.0.1:8080"; of a socket with a path "unix:/path".</summary>
    public string Address { get; }

    public IReadOnlyList<ServedSnapshot> Snapshots { get; }

    /// <summary>Starts to serve, on a thread of its own. What is served is not collected meanwhile.</summary>
    /// <param name="store">Where the objects are.</param>
    /// <param name="snapshots">What is served.</param>
    /// <param name="listener">A socket that listens; it is the server's from now on.</param>
    /// <param name="options">How.</param>
    /// <exception cref="PosixException">A snapshot is not there any more.</exception>
    public static RepoServer Start(SnapshotStore store, IReadOnlyList<ServedSnapshot> snapshots, SafeFileHandle listener, RepoServerOptions? options = null)
    {
        RepoServerOptions chosen = options ?? new RepoServerOptions();
        string address = StreamSockets.AddressOf(listener);
        byte[] listing = Listing(snapshots);
        List<SnapshotHold> held = [.. snapshots.Select(served => store.Serve(served.Snapshot.Id))];
        ServerLoop loop = new(listener, chosen, (wake, resume) => new ServerAnswers(store, snapshots, listing, chosen, wake, resume));
        return new RepoServer(loop, address.Contains(':', StringComparison.Ordinal) && !address.StartsWith('/') ? $"http://{address}" : $"unix:{address}", snapshots, held);
    }

    /// <summary>Where a repository is: its base URL. Of a socket with a path the host is "localhost".</summary>
    public string UrlOf(ServedSnapshot snapshot, string repo) =>
        $"{(Address.StartsWith("unix:", StringComparison.Ordinal) ? "http://localhost" : Address)}/{Uri.EscapeDataString(snapshot.Name)}/{Uri.EscapeDataString(repo)}/";

    /// <summary>Ends it: no new connections, those that are idle are closed, and what is being answered gets some time to come to its end.</summary>
    /// <returns>Whether all of that did.</returns>
    public bool Stop(TimeSpan grace)
    {
        if (_isStopped)
            return _isWhole;
        _isStopped = true;
        _loop.Stop((long)grace.TotalMilliseconds);
        _thread.Join();
        _loop.Dispose();
        _held.ForEach(held => held.Dispose());
        return _isWhole;
    }

    public void Dispose() => Stop(TimeSpan.Zero);

    private static byte[] Listing(IReadOnlyList<ServedSnapshot> snapshots)
    {
        ArrayBufferWriter<byte> buffer = new();
        using Utf8JsonWriter json = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartArray("snapshots");
        foreach (ServedSnapshot served in snapshots)
        {
            json.WriteStartObject();
            json.WriteString("name", served.Name);
            json.WriteString("snapshot", served.Snapshot.Id);
            json.WriteStartArray("repos");
            foreach (SnapshotRepo repo in served.Snapshot.Repos)
            {
                json.WriteStartObject();
                json.WriteString("name", repo.Name);
                json.WriteString("path", $"/{Uri.EscapeDataString(served.Name)}/{Uri.EscapeDataString(repo.Name)}/");
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        buffer.Write("\n"u8);
        return buffer.WrittenSpan.ToArray();
    }
}
