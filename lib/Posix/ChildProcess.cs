using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// A program that we started, by posix_spawn: with exactly the descriptors, environment and bytes that its <see cref="ProgramStart"/>
/// says, signals at their defaults (.NET ignores SIGPIPE, which children would inherit) and none blocked.
/// Disposing does not kill it.
/// </summary>
public sealed unsafe class ChildProcess : IDisposable
{
    private const nint SYS_pidfd_send_signal = 424, SYS_pidfd_open = 434;
    private const short POLLIN = 1, POLLOUT = 4;

    private readonly SafeFileHandle _pidfd;
    private ProcessExit? _exit;

    private ChildProcess(int id, string program)
    {
        (Id, Program) = (id, program);
        // Not reaped yet, so the number still means this process.
        _pidfd = new SafeFileHandle(PosixException.Check(Libc.pidfd_open(SYS_pidfd_open, id, 0), "pidfd_open"), ownsHandle: true);
    }

    public int Id { get; }

    public string Program { get; }

    /// <exception cref="PosixException">It cannot be started: ENOENT when there is no such program, EACCES when it is not executable.</exception>
    public static ChildProcess Start(ProgramStart start)
    {
        KeepChildren();
        string path = ProgramStart.Find(start.Program);
        ulong* actions = stackalloc ulong[SpawnStructSize / sizeof(ulong)], attributes = stackalloc ulong[SpawnStructSize / sizeof(ulong)];
        List<SafeFileHandle> copies = [];
        byte** argv = null, envp = null;
        Must(Libc.posix_spawn_file_actions_init(actions), path);
        Must(Libc.posix_spawnattr_init(attributes), path);
        try
        {
            SetAttributes(attributes, start.OwnSession);
            PlaceDescriptors(actions, start, copies);
            if (start.WorkingDirectory is { } folder)
            {
                fixed (byte* p = new CString(PathText.ToBytes(folder), stackalloc byte[CString.Inline]))
                    Must(Libc.posix_spawn_file_actions_addchdir_np(actions, p), path);
            }
            argv = Strings([start.Argument0 ?? start.Program, .. start.Arguments]);
            envp = Strings(start.Environment ?? ProgramStart.InheritedEnvironment());
            int id;
            fixed (byte* p = new CString(PathText.ToBytes(path), stackalloc byte[CString.Inline]))
                Must(Libc.posix_spawn(&id, p, actions, attributes, argv, envp), path);
            return new ChildProcess(id, start.Program);
        }
        finally
        {
            Free(argv);
            Free(envp);
            _ = Libc.posix_spawn_file_actions_destroy(actions);
            _ = Libc.posix_spawnattr_destroy(attributes);
            copies.ForEach(copy => copy.Dispose());
        }
    }

    /// <summary>Takes over a child that the caller has made by itself, after <see cref="KeepChildren"/>, and not yet waited for.</summary>
    public static ChildProcess Adopt(int id, string program) => new(id, program);

    /// <summary>
    /// Runs a program to its end, feeding <paramref name="input"/> (when given) and collecting what it writes to the streams that the
    /// start leaves unsaid. One loop serves all pipes, so none can fill up while we wait on another.
    /// </summary>
    public static ProcessResult Run(ProgramStart start, ReadOnlyMemory<byte>? input = null)
    {
        (SafeFileHandle Read, SafeFileHandle Write)? feed = input is null || start.Input is not null ? null : Pipes.Make();
        (SafeFileHandle Read, SafeFileHandle Write)? output = start.Output is null ? Pipes.Make() : null;
        (SafeFileHandle Read, SafeFileHandle Write)? errors = start.Error is null ? Pipes.Make() : null;
        try
        {
            using ChildProcess child = Start(start with
            {
                Input = feed?.Read ?? start.Input,
                Output = output?.Write ?? start.Output,
                Error = errors?.Write ?? start.Error,
            });
            feed?.Read.Dispose();
            output?.Write.Dispose();
            errors?.Write.Dispose();
            using MemoryStream said = new(), complained = new();
            child.Serve(feed?.Write, input ?? default, output?.Read, said, errors?.Read, complained);
            return new ProcessResult(start.Program, child.Wait(), said.ToArray(), complained.ToArray());
        }
        finally
        {
            foreach ((SafeFileHandle Read, SafeFileHandle Write)? pipe in new[] { feed, output, errors })
            {
                pipe?.Read.Dispose();
                pipe?.Write.Dispose();
            }
        }
    }

    /// <summary>Waits for the end. Asking again gives the same answer.</summary>
    public ProcessExit Wait()
    {
        if (_exit is { } known)
            return known;
        int status;
        while (Libc.waitpid(Id, &status, 0) < 0)
        {
            if (PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("wait", errno, Program);
        }
        _exit = ProcessExit.FromWaitStatus(status);
        return _exit.Value;
    }

    /// <summary>Waits for the end, for a process number 1: children that it adopted in the meantime are reaped as they end.</summary>
    public ProcessExit WaitAsInit()
    {
        while (_exit is null)
        {
            int status;
            int id = Libc.waitpid(-1, &status, 0);
            if (id == Id)
                _exit = ProcessExit.FromWaitStatus(status);
            else if (id < 0 && PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("wait", errno, Program);
        }
        return _exit.Value;
    }

    /// <summary>Waits no longer than <paramref name="timeout"/>; null when the program still runs then.</summary>
    public ProcessExit? Wait(TimeSpan timeout)
    {
        if (_exit is not null)
            return _exit;
        long end = Environment.TickCount64 + (long)Math.Ceiling(timeout.TotalMilliseconds);
        Libc.PollFd poll = new() { Fd = (int)_pidfd.DangerousGetHandle(), Events = POLLIN };
        while (true)
        {
            int left = (int)Math.Clamp(end - Environment.TickCount64, 0, int.MaxValue);
            int ready = Libc.poll(&poll, 1, left);
            if (ready > 0)
                return Wait();
            if (ready < 0 && PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("poll", errno, Program);
            if (Environment.TickCount64 >= end)
                return null;
        }
    }

    /// <summary>Sends a signal; one that comes after the end of the program goes nowhere, never to another process.</summary>
    public void Kill(Signal signal)
    {
        if (Libc.pidfd_send_signal(SYS_pidfd_send_signal, _pidfd, (int)signal, null, 0) < 0 && PosixException.Last is var errno and not Errno.ESRCH)
            throw new PosixException($"send {signal}", errno, Program);
    }

    public void Dispose() => _pidfd.Dispose();

    // A background process may keep the pipes open for ever, so the end of the program counts, not the end of file.
    private void Serve(SafeFileHandle? feed, ReadOnlyMemory<byte> input, SafeFileHandle? output, MemoryStream said, SafeFileHandle? errors, MemoryStream complained)
    {
        foreach (SafeFileHandle? end in new[] { feed, output, errors })
        {
            if (end is not null)
                Pipes.SetNonBlocking(end);
        }
        byte[] buffer = new byte[64 * 1024];
        Libc.PollFd* polls = stackalloc Libc.PollFd[4];
        bool running = true;
        while (running)
        {
            polls[0] = new() { Fd = (int)_pidfd.DangerousGetHandle(), Events = POLLIN };
            polls[1] = new() { Fd = NumberOf(feed), Events = POLLOUT };
            polls[2] = new() { Fd = NumberOf(output), Events = POLLIN };
            polls[3] = new() { Fd = NumberOf(errors), Events = POLLIN };
            if (Libc.poll(polls, 4, -1) < 0 && PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("poll", errno, Program);
            running = polls[0].Returned == 0;
            if (polls[1].Returned != 0)
                Feed(ref feed, ref input);
            if (polls[2].Returned != 0 || !running)
                Drain(ref output, buffer, said);
            if (polls[3].Returned != 0 || !running)
                Drain(ref errors, buffer, complained);
        }
    }

    private static int NumberOf(SafeFileHandle? fd) => fd is null ? -1 : (int)fd.DangerousGetHandle();

    private static void Feed(ref SafeFileHandle? feed, ref ReadOnlyMemory<byte> input)
    {
        if (feed is null)
            return;
        fixed (byte* p = input.Span)
        {
            nint n = input.IsEmpty ? 0 : Libc.write(feed, p, (nuint)input.Length);
            if (n >= 0)
                input = input[(int)n..];
            else if (PosixException.Last is Errno.EPIPE)
                input = default;
            else if (PosixException.Last is var errno and not (Errno.EAGAIN or Errno.EINTR))
                throw new PosixException("write", errno, "pipe");
        }
        if (input.IsEmpty)
        {
            feed.Dispose();
            feed = null;
        }
    }

    private static void Drain(ref SafeFileHandle? from, byte[] buffer, MemoryStream to)
    {
        while (from is not null)
        {
            nint n;
            fixed (byte* p = buffer)
                n = Libc.read(from, p, (nuint)buffer.Length);
            if (n > 0)
                to.Write(buffer, 0, (int)n);
            else if (n == 0)
            {
                from.Dispose();
                from = null;
            }
            else if (PosixException.Last == Errno.EAGAIN)
                return;
            else if (PosixException.Last is var errno and not Errno.EINTR)
                throw new PosixException("read", errno, "pipe");
        }
    }

    // glibc: posix_spawnattr_t has 336 bytes, posix_spawn_file_actions_t 80.
    private const int SpawnStructSize = 512;

    private static void SetAttributes(void* attributes, bool ownSession)
    {
        const short POSIX_SPAWN_SETSIGDEF = 4, POSIX_SPAWN_SETSIGMASK = 8, POSIX_SPAWN_SETSID = 0x80;
        const int SigsetWords = 16;
        ulong* toDefault = stackalloc ulong[SigsetWords], blocked = stackalloc ulong[SigsetWords];
        new Span<ulong>(toDefault, SigsetWords).Clear();
        new Span<ulong>(blocked, SigsetWords).Clear();
        // SIGHUP stays as it is, or nohup would have no effect on what we run.
        toDefault[0] = ~(Bit(Signal.SIGKILL) | Bit(Signal.SIGSTOP) | Bit(Signal.SIGHUP));
        Must(Libc.posix_spawnattr_setsigdefault(attributes, toDefault), null);
        Must(Libc.posix_spawnattr_setsigmask(attributes, blocked), null);
        Must(Libc.posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | (ownSession ? POSIX_SPAWN_SETSID : 0))), null);
    }

    private static ulong Bit(Signal signal) => 1UL << ((int)signal - 1);

    private static void PlaceDescriptors(void* actions, ProgramStart start, List<SafeFileHandle> copies)
    {
        const int F_DUPFD_CLOEXEC = 1030;
        SafeFileHandle?[] wanted = [start.Input, start.Output, start.Error, .. start.Inherited];
        for (int place = 0; place < wanted.Length; place++)
        {
            if (wanted[place] is not { } fd)
                continue;
            // A source in the range of the targets could be overwritten before its turn: use a copy above the range.
            if (NumberOf(fd) < wanted.Length && NumberOf(fd) != place)
            {
                fd = new SafeFileHandle(PosixException.Check(Libc.fcntl(fd, F_DUPFD_CLOEXEC, wanted.Length), "fcntl"), ownsHandle: true);
                copies.Add(fd);
            }
            Must(Libc.posix_spawn_file_actions_adddup2(actions, NumberOf(fd), place), null);
        }
        Must(Libc.posix_spawn_file_actions_addclosefrom_np(actions, wanted.Length), null);
    }

    private static void Must(int errno, string? path)
    {
        if (errno != 0)
            throw new PosixException("run", (Errno)errno, path);
    }

    internal static byte** Strings(IReadOnlyList<string> texts)
    {
        byte** list = (byte**)NativeMemory.AllocZeroed((nuint)texts.Count + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < texts.Count; i++)
        {
            byte[] bytes = PathText.ToBytes(texts[i]);
            if (bytes.AsSpan().Contains((byte)0))
            {
                Free(list);
                throw new PosixException("argument with a NUL byte", Errno.EINVAL, texts[i]);
            }
            list[i] = (byte*)NativeMemory.AllocZeroed((nuint)bytes.Length + 1);
            bytes.CopyTo(new Span<byte>(list[i], bytes.Length));
        }
        return list;
    }

    internal static void Free(byte** list)
    {
        if (list is null)
            return;
        for (byte** at = list; *at is not null; at++)
            NativeMemory.Free(*at);
        NativeMemory.Free(list);
    }

    /// <summary>Started by a parent that ignores SIGCHLD we would inherit that, and the kernel would throw exit statuses away: not from now on.</summary>
    public static void KeepChildren()
    {
        if (Signals.IsIgnored(Signal.SIGCHLD))
            Signals.SetDefault(Signal.SIGCHLD);
    }
}
