using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Stream sockets of a server: TCP on the loopback (tcp(7)) and sockets with a path (unix(7)). None of them ever waits.</summary>
public static unsafe class StreamSockets
{
    private const int AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1, SO_REUSEADDR = 2, SO_ACCEPTCONN = 30, IPPROTO_TCP = 6, TCP_NODELAY = 1;
    private const int MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000, MSG_MORE = 0x8000;
    private const int Backlog = 1024, MaxAddress = 128;

    /// <summary>Waits for connections to 127.0.0.1.</summary>
    /// <param name="port">0: any that is free.</param>
    public static SafeFileHandle ListenOnLoopback(int port)
    {
        string shown = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        SafeFileHandle socket = Make(AF_INET);
        try
        {
            // Else a port stays taken for a minute after its last connection.
            SetOption(socket, SOL_SOCKET, SO_REUSEADDR);
            byte* address = stackalloc byte[16]; // struct sockaddr_in
            Span<byte> bytes = new(address, 16);
            bytes.Clear();
            *(ushort*)address = AF_INET;
            BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)port);
            bytes[4] = 127;
            bytes[7] = 1;
            PosixException.Check(Libc.bind(socket, address, 16), "bind", shown);
            PosixException.Check(Libc.listen(socket, Backlog), "listen", shown);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Waits for connections to a socket that is made at a path. One that is there already, and to which nobody listens, is replaced.</summary>
    public static SafeFileHandle ListenOnPath(string path)
    {
        const int PathOffset = 2, PathMax = 107; // struct sockaddr_un, less the final NUL
        byte[] name = PathText.ToBytes(path);
        if (name.Length is 0 or > PathMax)
            throw new PosixException("bind", Errno.ENAMETOOLONG, path, string.Create(CultureInfo.InvariantCulture, $"the path of a socket has from 1 to {PathMax} bytes"));
        byte* address = stackalloc byte[MaxAddress];
        new Span<byte>(address, MaxAddress).Clear();
        *(ushort*)address = AF_UNIX;
        name.CopyTo(new Span<byte>(address + PathOffset, PathMax));
        uint length = (uint)(PathOffset + name.Length + 1);
        SafeFileHandle socket = Make(AF_UNIX);
        try
        {
            if (Libc.bind(socket, address, length) < 0)
            {
                Errno errno = PosixException.Last;
                if (errno != Errno.EADDRINUSE || !IsAbandoned(path, address, length))
                    throw new PosixException("bind", errno, path);
                Files.Remove(path);
                PosixException.Check(Libc.bind(socket, address, length), "bind", path);
            }
            PosixException.Check(Libc.listen(socket, Backlog), "listen", path);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Takes a socket that somebody else made, and waits at.</summary>
    /// <exception cref="PosixException">It is none that listens.</exception>
    public static void TakeListener(SafeFileHandle socket, string shown)
    {
        const int F_GETFL = 3, F_SETFL = 4, O_NONBLOCK = 0x800;
        int listens = 0;
        uint length = sizeof(int);
        PosixException.Check(Libc.getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length), "listen", shown);
        if (listens == 0)
            throw new PosixException("listen", Errno.EINVAL, shown, "it is no socket that listens");
        int flags = PosixException.Check(Libc.fcntl(socket, F_GETFL, 0), "fcntl", shown);
        PosixException.Check(Libc.fcntl(socket, F_SETFL, flags | O_NONBLOCK), "fcntl", shown);
    }

    /// <summary>The address that a socket listens at: "127.0.0.1:8080", "[::1]:8080", or a path, which begins with a slash or is "unnamed".</summary>
    public static string AddressOf(SafeFileHandle socket)
    {
        byte* address = stackalloc byte[MaxAddress];
        uint length = MaxAddress;
        PosixException.Check(Libc.getsockname(socket, address, &length), "getsockname");
        ReadOnlySpan<byte> bytes = new(address, (int)Math.Min(length, MaxAddress));
        int port = bytes.Length < 4 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        switch (*(ushort*)address)
        {
            case AF_INET:
                return string.Create(CultureInfo.InvariantCulture, $"{bytes[4]}.{bytes[5]}.{bytes[6]}.{bytes[7]}:{port}");
            case AF_INET6:
                return string.Create(CultureInfo.InvariantCulture, $"[{new System.Net.IPAddress(bytes.Slice(8, 16))}]:{port}");
            default:
                ReadOnlySpan<byte> path = bytes[2..];
                int end = path.IndexOf((byte)0);
                return end == 0 || path.IsEmpty ? "unnamed" : System.IO.Path.GetFullPath(PathText.FromBytes(end < 0 ? path : path[..end]));
        }
    }

    /// <summary>The next connection; null when none waits.</summary>
    public static SafeFileHandle? TryAccept(SafeFileHandle listener)
    {
        int fd;
        do
            fd = Libc.accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        // A client that is gone already is none.
        while (fd < 0 && PosixException.Last is Errno.EINTR or Errno.ECONNABORTED);
        if (fd < 0)
            return PosixException.Last == Errno.EAGAIN ? null : throw new PosixException("accept", PosixException.Last);
        SafeFileHandle socket = new(fd, ownsHandle: true);
        // Sockets with a path have no such option, and need none.
        int one = 1;
        _ = Libc.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int));
        return socket;
    }

    /// <summary>Reads what is there; 0 at the end, null when nothing is there yet.</summary>
    public static int? TryReceive(SafeFileHandle socket, Span<byte> buffer)
    {
        fixed (byte* p = buffer)
            return Check(Libc.recv(socket, p, (nuint)buffer.Length, MSG_DONTWAIT), "receive");
    }

    /// <summary>Sends as much as goes at once; null when that is nothing yet.</summary>
    /// <param name="socket">A connection.</param>
    /// <param name="bytes">What.</param>
    /// <param name="more">Whether more follows at once, so that no packet need leave for this.</param>
    public static int? TrySend(SafeFileHandle socket, ReadOnlySpan<byte> bytes, bool more)
    {
        fixed (byte* p = bytes)
            return Check(Libc.send(socket, p, (nuint)bytes.Length, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0)), "send");
    }

    /// <summary>Sends a part of a file, as much as goes at once; null when that is nothing yet, 0 beyond its end.</summary>
    public static int? TrySendFile(SafeFileHandle socket, SafeFileHandle file, long offset, int count) => Check(Libc.sendfile(socket, file, &offset, (nuint)count), "sendfile");

    /// <summary>Says the other side that nothing more will come from this one.</summary>
    public static void EndSending(SafeFileHandle socket)
    {
        const int SHUT_WR = 1;
        _ = Libc.shutdown(socket, SHUT_WR);
    }

    private static int? Check(nint result, string call)
    {
        if (result >= 0)
            return (int)result;
        return PosixException.Last is Errno.EAGAIN or Errno.EINTR ? null : throw new PosixException(call, PosixException.Last);
    }

    private static SafeFileHandle Make(int domain) =>
        new(PosixException.Check(Libc.socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"), ownsHandle: true);

    private static void SetOption(SafeFileHandle socket, int level, int option)
    {
        int one = 1;
        PosixException.Check(Libc.setsockopt(socket, level, option, &one, sizeof(int)), "setsockopt");
    }

    private static bool IsAbandoned(string path, void* address, uint length)
    {
        const uint S_IFSOCK = FileStatus.S_IFSOCK;
        if (Files.Status(path).Type != S_IFSOCK)
            return false;
        using SafeFileHandle client = Make(AF_UNIX);
        return Libc.connect(client, address, length) < 0 && PosixException.Last == Errno.ECONNREFUSED;
    }
}
