using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A server on the fixture's folder that goes wrong as a test wishes: what it answers is written as it stands.</summary>
internal sealed class FaultyServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Dictionary<string, int> _before = [];
    private readonly ConcurrentBag<TcpClient> _clients = [];
    private readonly Func<Request, byte[]?> _answer;

    /// <param name="answer">Is given the path and how often it was asked for before; null for the file that is there.</param>
    public FaultyServer(Func<string, int, byte[]?> answer) : this(request => answer(request.Path, request.Before))
    {
    }

    /// <param name="answer">Null for the file that is there, or the part of it that was asked for.</param>
    public FaultyServer(Func<Request, byte[]?> answer)
    {
        _answer = answer;
        _listener.Start();
        new Thread(Accept) { IsBackground = true }.Start();
    }

    /// <summary>What was asked for; <paramref name="Before"/> is how often before.</summary>
    public sealed record Request(string Method, string Path, int Before, IReadOnlyDictionary<string, string> Headers)
    {
        public string? Header(string name) => Headers.GetValueOrDefault(name.ToLowerInvariant());

        /// <summary>The first byte that is wanted, where a part is.</summary>
        public int? From => Header("Range") is { } range ? int.Parse(range["bytes=".Length..].TrimEnd('-'), System.Globalization.CultureInfo.InvariantCulture) : null;
    }

    /// <summary>Speaks TLS with it.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Wants a client's certificate, of whatever authority.</summary>
    public bool AsksForCertificate { get; init; }

    /// <summary>After an answer of the test's own it neither sends anything nor closes the connection.</summary>
    public bool Stalls { get; init; }

    /// <summary>After an answer of the test's own the connection is broken instead of closed.</summary>
    public bool Resets { get; init; }

    /// <summary>Where the files are.</summary>
    public string Root { get; init; } = RepoFixture.Folder;

    /// <summary>Given with the files that are there.</summary>
    public string? ETag { get; init; }

    public string Url => $"{(Certificate is null ? "http" : "https")}://{_listener.LocalEndpoint}";

    public ConcurrentQueue<Request> Asked { get; } = [];

    /// <summary>The most connections that there were at the same time.</summary>
    public int MostConnections { get; private set; }

    public static byte[] Answer(string head, byte[] body) => [.. Encoding.ASCII.GetBytes($"HTTP/1.1 {head}\r\n\r\n"), .. body];

    public static byte[] File(string path) => System.IO.File.ReadAllBytes(RepoFixture.PathOf(Uri.UnescapeDataString(path).TrimStart('/')));

    public static byte[] Whole(byte[] body) => Answer($"200 OK\r\nContent-Length: {body.Length}", body);

    public void Dispose()
    {
        _listener.Stop();
        foreach (TcpClient client in _clients)
            client.Dispose();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                TcpClient client = _listener.AcceptTcpClient();
                _clients.Add(client);
                MostConnections = Math.Max(MostConnections, _clients.Count(IsConnected));
                new Thread(() => Serve(client)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or InvalidOperationException)
        {
        }
    }

    private void Serve(TcpClient client)
    {
        try
        {
            if (Talk(client, Open(client)))
                return;
            client.Dispose();
        }
        catch (Exception e) when (e is IOException or AuthenticationException or ObjectDisposedException or InvalidOperationException or SocketException or ArgumentException)
        {
            client.Dispose();
        }
    }

    /// <summary>Whether the other side has not closed it: asked of the socket, for the thread that serves it may not have seen the end yet.</summary>
    private static bool IsConnected(TcpClient client)
    {
        try
        {
            return client.Client is { } socket && (!socket.Poll(0, SelectMode.SelectRead) || socket.Available > 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private Stream Open(TcpClient client)
    {
        if (Certificate is null)
            return client.GetStream();
        SslStream stream = new(client.GetStream(), false, (_, certificate, _, _) => !AsksForCertificate || certificate is not null);
        stream.AuthenticateAsServer(Certificate, AsksForCertificate, checkCertificateRevocation: false);
        return !AsksForCertificate || stream.RemoteCertificate is not null ? stream : throw new AuthenticationException();
    }

    /// <summary>Answers requests; true when the connection is to be left open.</summary>
    private bool Talk(TcpClient client, Stream stream)
    {
        using StreamReader reader = new(stream, Encoding.Latin1, false, 4096, leaveOpen: true);
        while (reader.Peek() >= 0)
        {
            if (!char.IsAsciiLetter((char)reader.Peek()))
            {
                stream.Write(Answer("400 Bad Request", []));
                return false;
            }
            string line = reader.ReadLine()!;
            Dictionary<string, string> headers = [];
            while (reader.ReadLine() is { Length: > 0 } header)
                headers[header[..header.IndexOf(':')].ToLowerInvariant()] = header[(header.IndexOf(':') + 1)..].Trim();
            string[] words = line.Split(' ');
            int before;
            lock (_before)
                _before[words[1]] = (before = _before.GetValueOrDefault(words[1])) + 1;
            Request request = new(words[0], words[1], before, headers);
            Asked.Enqueue(request);
            if (_answer(request) is { } own)
            {
                stream.Write(own);
                stream.Flush();
                if (Resets)
                    client.Client.Close(0); // TcpClient would end it politely first
                return Stalls;
            }
            stream.Write(TheFile(request));
            stream.Flush();
        }
        return false;
    }

    private byte[] TheFile(Request request)
    {
        string path = request.Path.StartsWith("http", StringComparison.Ordinal) ? new Uri(request.Path).AbsolutePath : request.Path; // as proxies are asked
        byte[] file = System.IO.File.ReadAllBytes(Path.Combine(Root, Uri.UnescapeDataString(path.Split('?')[0]).TrimStart('/')));
        string tag = ETag is null ? "" : $"\r\nETag: {ETag}";
        if (ETag is not null && request.Header("If-None-Match") == ETag)
            return Answer($"304 Not Modified{tag}", []);
        return request.From is { } from && from < file.Length && (request.Header("If-Range") ?? ETag) == ETag
            ? Answer($"206 Partial Content\r\nContent-Length: {file.Length - from}\r\nContent-Range: bytes {from}-{file.Length - 1}/{file.Length}{tag}", file[from..])
            : Answer($"200 OK\r\nContent-Length: {file.Length}{tag}", file);
    }
}
