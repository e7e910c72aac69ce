using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// A file descriptor as a stream, with read(2) and write(2) and nothing else: no position of its own (FileStream keeps one
/// and so overwrites what other processes wrote to a shared stdout), and EPIPE is an error (Console swallows it).
/// </summary>
public sealed class FdStream(SafeFileHandle fd, string name, bool canRead = true, bool canWrite = true) : Stream
{
    public static FdStream StandardInput { get; } = new(new SafeFileHandle(0, ownsHandle: false), "standard input", canWrite: false);
    public static FdStream StandardOutput { get; } = new(new SafeFileHandle(1, ownsHandle: false), "standard output", canRead: false);
    public static FdStream StandardError { get; } = new(new SafeFileHandle(2, ownsHandle: false), "standard error", canRead: false);

    /// <summary>The descriptor itself, for calls that need one (send, splice, poll).</summary>
    public SafeFileHandle Handle => fd;

    public string Name => name;
    public override bool CanWrite => canWrite;
    public override bool CanRead => canRead;
    public override bool CanSeek => false;

    /// <summary>When set, a read that waits for another program gives up soon after cancellation.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <exception cref="OperationCanceledException">Cancelled while waiting.</exception>
    public override int Read(Span<byte> buffer)
    {
        const int PatienceMilliseconds = 100;
        if (Cancellation.CanBeCanceled)
        {
            Cancellation.ThrowIfCancellationRequested();
            while (!StandardStreams.WaitReadable(fd, PatienceMilliseconds))
                Cancellation.ThrowIfCancellationRequested();
        }
        return Files.Read(fd, buffer, name);
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Write(ReadOnlySpan<byte> buffer) => Files.Write(fd, buffer, name);
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            fd.Dispose();
        base.Dispose(disposing);
    }
}
