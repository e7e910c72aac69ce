using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>Pairs of connected sockets that keep messages apart and can carry a descriptor with each (unix(7), SOCK_SEQPACKET).</summary>
public static unsafe class MessageSockets
{
    private const int AF_UNIX = 1, SOCK_SEQPACKET = 5, SOCK_CLOEXEC = 0x80000, SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000;

    /// <summary>Two ends that no program inherits unless they are handed to it.</summary>
    public static (SafeFileHandle One, SafeFileHandle Other) Make()
    {
        int* ends = stackalloc int[2];
        PosixException.Check(Libc.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
        return (new SafeFileHandle(ends[0], ownsHandle: true), new SafeFileHandle(ends[1], ownsHandle: true));
    }

    /// <summary>Waits until there is a message or the end; false when it takes longer than so many milliseconds (-1: for ever).</summary>
    public static bool Wait(SafeFileHandle socket, int milliseconds) => Descriptors.WaitReadable(milliseconds, socket) != 0;

    /// <summary>Sends a message, and with it a descriptor, of which the other side gets a copy.</summary>
    /// <exception cref="PosixException">EPIPE: nobody has the other end any more.</exception>
    public static void Send(SafeFileHandle socket, ReadOnlySpan<byte> message, SafeFileHandle? descriptor = null)
    {
        fixed (byte* p = message)
        {
            ControlMessage control = new() { Length = ControlMessage.UsedLength, Level = SOL_SOCKET, Type = SCM_RIGHTS, Descriptor = descriptor is null ? -1 : (int)descriptor.DangerousGetHandle() };
            Vector vector = new() { Base = p, Length = (nuint)message.Length };
            Header header = new() { Vectors = &vector, VectorCount = 1 };
            if (descriptor is not null)
            {
                header.Control = &control;
                header.ControlLength = (nuint)sizeof(ControlMessage);
            }
            while (Libc.sendmsg(socket, &header, MSG_NOSIGNAL) < 0)
            {
                if (PosixException.Last is var errno and not Errno.EINTR)
                    throw new PosixException("send", errno, "socket");
            }
        }
    }

    /// <summary>Waits for a message. Returns its length, what does not fit being lost, or 0 when nobody has the other end any more.</summary>
    public static int Receive(SafeFileHandle socket, Span<byte> message, out SafeFileHandle? descriptor)
    {
        fixed (byte* p = message)
        {
            ControlMessage control = default;
            Vector vector = new() { Base = p, Length = (nuint)message.Length };
            // With the padding there would be room for another, which nobody would close.
            Header header = new() { Vectors = &vector, VectorCount = 1, Control = &control, ControlLength = ControlMessage.UsedLength };
            nint length;
            while ((length = Libc.recvmsg(socket, &header, MSG_CMSG_CLOEXEC)) < 0)
            {
                if (PosixException.Last is var errno and not Errno.EINTR)
                    throw new PosixException("receive", errno, "socket");
            }
            descriptor = header.ControlLength >= ControlMessage.UsedLength && control is { Level: SOL_SOCKET, Type: SCM_RIGHTS }
                ? new SafeFileHandle(control.Descriptor, ownsHandle: true)
                : null;
            return (int)length;
        }
    }

    /// <summary>Ends all receiving on this socket: what waits for a message gets the end.</summary>
    public static void StopReceiving(SafeFileHandle socket)
    {
        const int SHUT_RD = 0;
        _ = Libc.shutdown(socket, SHUT_RD);
    }

    /// <summary>struct iovec</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Vector
    {
        public byte* Base;
        public nuint Length;
    }

    /// <summary>struct msghdr</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public void* Name;
        public uint NameLength;
        public Vector* Vectors;
        public nuint VectorCount;
        public ControlMessage* Control;
        public nuint ControlLength;
        public int Flags;
    }

    /// <summary>struct cmsghdr with one descriptor behind it, in the room that CMSG_SPACE(3) gives it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ControlMessage
    {
        public const int UsedLength = 20;

        public nuint Length;
        public int Level, Type, Descriptor, Padding;
    }
}
