using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// Connections to servers, for threads that wait (tcp(7)). .NET's sockets stop blocking for good once one of their asynchronous calls was used, such as the only
/// one that connects within a time; every read that waits then goes through another thread.
/// </summary>
public static unsafe class TcpSockets
{
    private const int AF_INET = 2, AF_INET6 = 10, SOCK_STREAM = 1, SOCK_NONBLOCK = 0x800, SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1, SO_ERROR = 4, SO_RCVTIMEO = 20, SO_SNDTIMEO = 21, IPPROTO_TCP = 6, TCP_NODELAY = 1;
    private const int F_GETFL = 3, F_SETFL = 4, SHUT_RDWR = 2, MSG_NOSIGNAL = 0x4000;
    private const int Slice = 100; // milliseconds between two looks at the token

    /// <summary>Connects; afterwards reads and writes wait at most as long, and then fail with EAGAIN.</summary>
    /// <exception cref="PosixException">It cannot be; ETIMEDOUT after that time.</exception>
    /// <exception cref="OperationCanceledException">As asked.</exception>
    public static SafeFileHandle Connect(IPAddress address, int port, TimeSpan patience, CancellationToken cancellation)
    {
        bool isSix = address.AddressFamily == AddressFamily.InterNetworkV6;
        // struct sockaddr_in: family, port, address; struct sockaddr_in6: family, port, flow, address, scope.
        Span<byte> name = stackalloc byte[28];
        name.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(name, (ushort)(isSix ? AF_INET6 : AF_INET));
        BinaryPrimitives.WriteUInt16BigEndian(name[2..], (ushort)port);
        address.TryWriteBytes(name[(isSix ? 8 : 4)..], out _);
        if (isSix)
            BinaryPrimitives.WriteUInt32LittleEndian(name[24..], (uint)address.ScopeId);
        SafeFileHandle socket = new(PosixException.Check(Libc.socket(isSix ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"), ownsHandle: true);
        try
        {
            int result;
            fixed (byte* p = name)
                result = Libc.connect(socket, p, isSix ? 28u : 16u);
            if (result < 0 && PosixException.Last is var errno and not (Errno.EINPROGRESS or Errno.EINTR))
                throw new PosixException("connect", errno);
            if (result < 0)
                Await(socket, patience, cancellation);
            int flags = PosixException.Check(Libc.fcntl(socket, F_GETFL, 0), "fcntl");
            PosixException.Check(Libc.fcntl(socket, F_SETFL, flags & ~SOCK_NONBLOCK), "fcntl");
            int one = 1;
            PosixException.Check(Libc.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(int)), "setsockopt");
            // struct timeval
            long* limit = stackalloc long[] { (long)patience.TotalSeconds, (long)(patience.TotalMicroseconds % 1_000_000) };
            PosixException.Check(Libc.setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, limit, 16), "setsockopt");
            PosixException.Check(Libc.setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, limit, 16), "setsockopt");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Bytes as they come; 0 at the end.</summary>
    /// <exception cref="PosixException">EAGAIN: nothing came for so long.</exception>
    public static int Receive(SafeFileHandle socket, Span<byte> into)
    {
        fixed (byte* p = into)
        {
            nint count;
            while ((count = Libc.recv(socket, p, (nuint)into.Length, 0)) < 0)
            {
                if (PosixException.Last is var errno and not Errno.EINTR)
                    throw new PosixException("receive", errno);
            }
            return (int)count;
        }
    }

    /// <summary>Sends all of it.</summary>
    /// <exception cref="PosixException">EAGAIN: nothing was taken for so long.</exception>
    public static void Send(SafeFileHandle socket, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            nint count;
            fixed (byte* p = bytes)
                count = Libc.send(socket, p, (nuint)bytes.Length, MSG_NOSIGNAL);
            if (count < 0 && PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("send", errno);
            bytes = bytes[(int)Math.Max(count, 0)..];
        }
    }

    /// <summary>Ends a connection under the hands of a thread that waits on it: its read ends. May be called when it is closed already.</summary>
    public static void Break(SafeFileHandle socket)
    {
        try
        {
            _ = Libc.shutdown(socket, SHUT_RDWR);
        }
        catch (ObjectDisposedException)
        {
        }
    }

    private static void Await(SafeFileHandle socket, TimeSpan patience, CancellationToken cancellation)
    {
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (Descriptors.WaitWritable((int)Math.Clamp(end - Environment.TickCount64, 0, Slice), socket) == 0)
        {
            cancellation.ThrowIfCancellationRequested();
            if (Environment.TickCount64 >= end)
                throw new PosixException("connect", Errno.ETIMEDOUT);
        }
        int error;
        uint length = sizeof(int);
        PosixException.Check(Libc.getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &length), "getsockopt");
        if (error != 0)
            throw new PosixException("connect", (Errno)error);
    }
}
