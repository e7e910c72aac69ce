using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>What a descriptor is ready for, or is to be watched for; the numbers of sys/epoll.h.</summary>
[Flags]
public enum Readiness : uint
{
    /// <summary>Nothing: errors and ends are told all the same.</summary>
    None = 0,

    /// <summary>A read would not wait.</summary>
    Input = 1,

    /// <summary>A write would not wait.</summary>
    Output = 4,

    /// <summary>It is broken.</summary>
    Error = 8,

    /// <summary>Nobody has the other end any more, in either direction.</summary>
    HangUp = 16,
}

/// <summary>
/// Waits for any number of descriptors at once (epoll(7), level-triggered). One thread uses it; <see cref="Wake"/> alone may be called from any.
/// </summary>
public sealed unsafe class EventQueue : IDisposable
{
    private const int EPOLL_CLOEXEC = 0x80000, EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;
    private const int Most = 256;
    private const int WakeKey = -1;

    // struct epoll_event { u32 events; u64 data; }, packed on x86-64 alone.
    private static readonly int s_dataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;
    private static readonly int s_size = s_dataOffset + sizeof(ulong);

    private readonly SafeFileHandle _queue = new(PosixException.Check(Libc.epoll_create1(EPOLL_CLOEXEC), "epoll_create"), ownsHandle: true);
    private readonly SafeFileHandle _wake = EventDescriptor.Make();
    private readonly byte[] _events = new byte[Most * s_size];

    public EventQueue() => Add(_wake, WakeKey, Readiness.Input);

    /// <summary>Watches a descriptor. Closing it ends that.</summary>
    /// <param name="fd">The descriptor.</param>
    /// <param name="key">What it is to be called; not negative, but for our own.</param>
    /// <param name="interest">What for.</param>
    public void Add(SafeFileHandle fd, int key, Readiness interest) => Control(EPOLL_CTL_ADD, fd, key, interest);

    /// <summary>Watches for something else.</summary>
    public void Change(SafeFileHandle fd, int key, Readiness interest) => Control(EPOLL_CTL_MOD, fd, key, interest);

    /// <summary>Watches it no more.</summary>
    public void Remove(SafeFileHandle fd) => Control(EPOLL_CTL_DEL, fd, 0, Readiness.None);

    /// <summary>Waits until something is ready, somebody called <see cref="Wake"/>, or so many milliseconds have gone (-1: without limit).</summary>
    /// <returns>How many descriptors are ready: what they are is <see cref="Ready"/>'s to say.</returns>
    public int Wait(int milliseconds)
    {
        int count;
        fixed (byte* p = _events)
            count = Libc.epoll_wait(_queue, p, Most, milliseconds);
        return count >= 0 ? count : PosixException.Last == Errno.EINTR ? 0 : throw new PosixException("epoll_wait", PosixException.Last);
    }

    /// <summary>One of what the last <see cref="Wait"/> found. A key below 0 is nobody's: only the waiting has ended.</summary>
    public (int Key, Readiness Readiness) Ready(int index)
    {
        ReadOnlySpan<byte> entry = _events.AsSpan(index * s_size, s_size);
        int key = MemoryMarshal.Read<int>(entry[s_dataOffset..]);
        if (key == WakeKey)
        {
            ulong count;
            _ = Libc.read(_wake, (byte*)&count, sizeof(ulong));
        }
        return (key, (Readiness)MemoryMarshal.Read<uint>(entry));
    }

    /// <summary>Ends the waiting, or the next one.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = Libc.write(_wake, (byte*)&one, sizeof(ulong));
    }

    public void Dispose()
    {
        _queue.Dispose();
        _wake.Dispose();
    }

    private void Control(int operation, SafeFileHandle fd, int key, Readiness interest)
    {
        byte* entry = stackalloc byte[16];
        *(uint*)entry = (uint)interest;
        *(long*)(entry + s_dataOffset) = key;
        PosixException.Check(Libc.epoll_ctl(_queue, operation, fd, entry), "epoll_ctl");
    }
}
