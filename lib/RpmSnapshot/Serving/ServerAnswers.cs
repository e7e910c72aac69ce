using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>What sending came to.</summary>
/// <param name="Bytes">That went.</param>
/// <param name="IsDone">Whether that was all.</param>
/// <param name="IsBroken">Whether it cannot be brought to its end.</param>
internal readonly record struct SendProgress(long Bytes, bool IsDone, bool IsBroken = false);

/// <summary>What a server says to a request. For the loop's thread alone.</summary>
internal sealed class ServerAnswers : IDisposable
{
    // Of one connection, before the others have their turn.
    private const int BytesPerTurn = 1 << 20;

    private static readonly byte[] s_busy = Encoding.ASCII.GetBytes("HTTP/1.1 503 Service Unavailable\r\nServer: layerbox\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");

    private readonly SnapshotStore _store;
    private readonly ServedRepos _repos = new();
    private readonly byte[] _listing;
    private readonly RepoServerOptions _options;
    private readonly ServerWork _work;
    private readonly ServedObjects _objects;
    private readonly Action<ClientConnection, string?> _resume;
    private readonly AnswerHead _head = new(TimeProvider.System);

    /// <param name="store">Where the objects are.</param>
    /// <param name="snapshots">What is served.</param>
    /// <param name="listing">The answer to "/".</param>
    /// <param name="options">Who is told what.</param>
    /// <param name="wake">Makes the loop come to <see cref="FinishWork"/>.</param>
    /// <param name="resume">Has a connection that waited answered: by <see cref="Answer(ClientConnection, HttpRequest)"/> once more, or, when something is wrong, by <see cref="Fail"/>.</param>
    public ServerAnswers(SnapshotStore store, IEnumerable<ServedSnapshot> snapshots, byte[] listing, RepoServerOptions options, Action wake, Action<ClientConnection, string?> resume)
    {
        (_store, _listing, _options, _resume) = (store, listing, options, resume);
        _work = new ServerWork(wake);
        _objects = new ServedObjects(store, _work, options.Complain);
        Dictionary<(string, string), ServedRepo> known = [];
        foreach (ServedSnapshot served in snapshots)
            foreach (SnapshotRepo repo in served.Snapshot.Repos)
            {
                if (!known.TryGetValue((served.Snapshot.Id, repo.Name), out ServedRepo? one))
                    known[(served.Snapshot.Id, repo.Name)] = one = new ServedRepo(store, repo, _work, options.Complain);
                _repos.Add(served.Name, one);
                _repos.Add(served.Snapshot.Id, one);
            }
    }

    /// <summary>Does what follows of what other threads found out.</summary>
    public void FinishWork() => _work.Finish();

    public void Dispose()
    {
        _work.Dispose();
        _objects.Dispose();
        _repos.Dispose();
    }

    /// <summary>To somebody for whom there is no room.</summary>
    public static void Refuse(SafeFileHandle socket)
    {
        try
        {
            StreamSockets.TrySend(socket, s_busy, more: false);
        }
        catch (PosixException)
        {
            // He is gone.
        }
    }

    /// <summary>To what is no request.</summary>
    public void Refuse(ClientConnection connection, int status)
    {
        connection.Request = null;
        connection.IsKept = false;
        Say(connection, status, AnswerHead.ReasonOf(status));
    }

    /// <summary>Begins to answer, or makes the connection wait until it can be answered.</summary>
    public void Answer(ClientConnection connection, HttpRequest request)
    {
        connection.Request = request;
        connection.IsKept = request.IsKept;
        if (request.Method is not ("GET" or "HEAD"))
        {
            Say(connection, 405, $"{request.Method} is not known here, only GET and HEAD are", allow: true);
            return;
        }
        if (request.Target == "/")
        {
            Say(connection, 200, _listing, "application/json"u8);
            return;
        }
        ServedRepo? repo;
        string raw, decoded;
        try
        {
            repo = _repos.Find(request.Target, out raw, out decoded);
        }
        catch (FormatException e)
        {
            Say(connection, 400, e.Message);
            return;
        }
        if (repo is null)
            Say(connection, 404, "no such snapshot or repository is served here: / lists them");
        else if (repo.Problem is { } problem)
            Say(connection, 500, problem);
        else if (repo.Files is null)
        {
            connection.State = ConnectionState.Waiting;
            repo.Read(() => _resume(connection, null));
        }
        else if (!repo.TryFind(raw, decoded, out RepoFile? file))
        {
            connection.State = ConnectionState.Waiting;
            repo.Look(raw, decoded, () => _resume(connection, null));
        }
        else if (file is not null)
            Answer(connection, request, file);
        else
            Say(connection, 404, "the repository has no such file");
    }

    private void Answer(ClientConnection connection, HttpRequest request, RepoFile file)
    {
        if (file.Missing is { } missing)
        {
            Lack(connection, file, $"the snapshot lacks this file: {missing}");
            return;
        }
        if (file.Made is { } made)
        {
            Send(connection, request, file, new ServedObject(file.Checksum.Digits, new SafeFileHandle(made.DangerousGetHandle(), ownsHandle: false)), file.Size!.Value);
            return;
        }
        string? digest = file.Checksum.Algorithm == RpmDigestAlgorithm.Sha256 ? file.Checksum.Digits : _store.Locate(file.Checksum, file.Size);
        if (digest is null)
        {
            Lack(connection, file, $"the store has no object that is {file.Checksum}, as far as is known");
            return;
        }
        if (_objects.TryUse(digest, out long size, out string? problem) is { } found)
            Send(connection, request, file, found, size);
        else if (problem is not null)
            Lack(connection, file, problem);
        else
        {
            connection.State = ConnectionState.Waiting;
            _objects.Verify(digest, wrong => _resume(connection, wrong));
        }
    }

    private void Lack(ClientConnection connection, RepoFile file, string why)
    {
        _options.Lacks($"{file.Path}: {why}");
        Say(connection, 503, why);
    }

    /// <summary>To a request whose answer turned out to be damaged.</summary>
    public void Fail(ClientConnection connection, string wrong) => Say(connection, 500, wrong);

    private void Send(ClientConnection connection, HttpRequest request, RepoFile file, ServedObject found, long size)
    {
        if (request.IfNoneMatch is { } known && Matches(known, found.Digest))
        {
            StartHead(connection, 304);
            _head.ETag(found.Digest);
            Start(connection, default);
            found.Release();
            return;
        }
        // What the client has a part of may be something else: then it gets the whole.
        bool isWhole = request.IfRange is { } condition && condition != $"\"{found.Digest}\"";
        int status = ByteRange.Parse(isWhole ? null : request.Range, size, out ByteRange range);
        StartHead(connection, status);
        if (status == 416)
        {
            _head.ContentRange(null, size);
            _head.Field("Content-Length"u8, 0);
            Start(connection, default);
            found.Release();
            return;
        }
        _head.Field("Content-Type"u8, TypeOf(file.Path));
        _head.Field("Content-Length"u8, range.End - range.Start);
        _head.ETag(found.Digest);
        _head.Field("Accept-Ranges"u8, "bytes"u8);
        if (status == 206)
            _head.ContentRange(range, size);
        if (request.IsHead)
        {
            Start(connection, default);
            found.Release();
            return;
        }
        connection.Body = found;
        connection.Rest = range;
        Start(connection, default);
    }

    /// <summary>Sends what goes at once.</summary>
    /// <exception cref="PosixException">The connection is broken.</exception>
    public static SendProgress Send(ClientConnection connection)
    {
        long sent = 0;
        while (!connection.Head.IsEmpty)
        {
            if (StreamSockets.TrySend(connection.Socket, connection.Head.Span, more: connection.Body is not null) is not { } count)
                return new SendProgress(sent, IsDone: false);
            connection.Head = connection.Head[count..];
            sent += count;
        }
        if (connection.Body is not { } body)
            return new SendProgress(sent, IsDone: true);
        int turn = 0;
        while (connection.Rest.Start < connection.Rest.End)
        {
            int wanted = (int)Math.Min(connection.Rest.End - connection.Rest.Start, BytesPerTurn - turn);
            if (wanted == 0 || StreamSockets.TrySendFile(connection.Socket, body.File, connection.Rest.Start, wanted) is not { } count)
                return new SendProgress(sent + turn, IsDone: false);
            // Somebody made the file shorter. That the answer ends early is all that can still be told.
            if (count == 0)
                return new SendProgress(sent + turn, IsDone: false, IsBroken: true);
            connection.Rest = connection.Rest with { Start = connection.Rest.Start + count };
            connection.Sent += count;
            turn += count;
        }
        return new SendProgress(sent + turn, IsDone: true);
    }

    /// <summary>An answer is at its end, or will not come to it.</summary>
    public void End(ClientConnection connection)
    {
        connection.Body?.Release();
        connection.Body = null;
        connection.Head = default;
        _options.Log?.Invoke(new ServedRequest(connection.Request?.Method, connection.Request?.Target, connection.Status, connection.Sent));
        connection.Request = null;
        connection.Sent = 0;
    }

    private void Say(ClientConnection connection, int status, string text, bool allow = false) => Say(connection, status, Encoding.UTF8.GetBytes(PathText.Printable(text) + "\n"), "text/plain; charset=utf-8"u8, allow);

    private void Say(ClientConnection connection, int status, byte[] text, ReadOnlySpan<byte> type, bool allow = false)
    {
        StartHead(connection, status);
        _head.Field("Content-Type"u8, type);
        _head.Field("Content-Length"u8, text.Length);
        if (allow)
            _head.Field("Allow"u8, "GET, HEAD"u8);
        Start(connection, connection.Request?.IsHead == true ? default : text);
    }

    private void StartHead(ClientConnection connection, int status)
    {
        connection.Status = status;
        _head.Start(status, connection.IsKept, connection.Request?.IsOld == true);
    }

    // Most heads go at once; for the rest of those that do not, there is this copy.
    private void Start(ClientConnection connection, ReadOnlySpan<byte> text)
    {
        _head.End();
        byte[] head = new byte[_head.Bytes.Length + text.Length];
        _head.Bytes.CopyTo(head);
        text.CopyTo(head.AsSpan(_head.Bytes.Length));
        connection.Head = head;
        connection.Sent = text.Length;
        connection.State = ConnectionState.Sending;
    }

    private static ReadOnlySpan<byte> TypeOf(string path) =>
        path.EndsWith(".rpm", StringComparison.Ordinal) ? "application/x-rpm"u8 : path.EndsWith(".xml", StringComparison.Ordinal) ? "application/xml"u8 : "application/octet-stream"u8;

    // RFC 9110, 13.1.2: weak comparison.
    private static bool Matches(string list, string digest)
    {
        foreach (Range range in list.AsSpan().Split(','))
        {
            ReadOnlySpan<char> tag = list.AsSpan(range).Trim();
            if (tag.StartsWith("W/"))
                tag = tag[2..];
            if (tag is "*" || (tag.Length == digest.Length + 2 && tag[0] == '"' && tag[^1] == '"' && tag[1..^1].SequenceEqual(digest)))
                return true;
        }
        return false;
    }
}
