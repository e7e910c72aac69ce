using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A proxy that knows CONNECT only, and perhaps wants to know who asks.</summary>
internal sealed class TestProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public TestProxy()
    {
        _listener.Start();
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public string Url => $"http://{_listener.LocalEndpoint}";

    /// <summary>"user:password"; null when anyone may.</summary>
    public string? User { get; init; }

    /// <summary>Where it was asked to connect to.</summary>
    public ConcurrentQueue<string> Asked { get; } = [];

    public void Dispose() => _listener.Stop();

    private void Accept()
    {
        try
        {
            while (true)
            {
                TcpClient client = _listener.AcceptTcpClient();
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
            using (client)
            {
                NetworkStream stream = client.GetStream();
                List<string> head = [];
                while (Line(stream) is { Length: > 0 } line)
                    head.Add(line);
                string[] words = head[0].Split(' ');
                Asked.Enqueue(head[0]);
                bool isKnown = User is null || head.Contains($"Proxy-Authorization: Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(User))}");
                if (words[0] != "CONNECT" || !isKnown)
                {
                    stream.Write(Encoding.ASCII.GetBytes(isKnown ? "HTTP/1.1 405 No\r\n\r\n" : "HTTP/1.1 407 Who are you\r\n\r\n"));
                    return;
                }
                // It knows names that nobody else does.
                using TcpClient server = new("127.0.0.1", int.Parse(words[1].Split(':')[1], System.Globalization.CultureInfo.InvariantCulture));
                stream.Write("HTTP/1.1 200 Connected\r\n\r\n"u8);
                Thread back = new(() => Copy(server.GetStream(), stream)) { IsBackground = true };
                back.Start();
                Copy(stream, server.GetStream());
                server.Client.Shutdown(SocketShutdown.Send);
                back.Join();
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException or ArgumentException) // of one that says nothing
        {
        }
    }

    private static void Copy(NetworkStream from, NetworkStream to)
    {
        try
        {
            from.CopyTo(to);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
        }
    }

    private static string Line(NetworkStream stream)
    {
        StringBuilder line = new();
        while (stream.ReadByte() is var c and >= 0 and not '\n')
            line.Append((char)c);
        return line.ToString().TrimEnd('\r');
    }
}
