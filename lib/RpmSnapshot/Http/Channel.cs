using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>A connection's bytes, both ways.</summary>
/// <param name="socket">Its end here.</param>
/// <param name="patience">How long a read or a write may wait.</param>
internal class Channel(SafeFileHandle socket, TimeSpan patience) : IDisposable
{
    /// <summary>Bytes as they come; 0 at the end.</summary>
    /// <exception cref="RepoFetchException">The connection broke, or nothing came for too long.</exception>
    public virtual int Read(Span<byte> into)
    {
        try
        {
            return TcpSockets.Receive(Socket, into);
        }
        catch (PosixException e)
        {
            throw Failed(e.Errno, e);
        }
    }

    /// <summary>Writes all of it.</summary>
    /// <exception cref="RepoFetchException">The connection broke, or nothing was taken for too long.</exception>
    public virtual void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            TcpSockets.Send(Socket, bytes);
        }
        catch (PosixException e)
        {
            throw Failed(e.Errno, e);
        }
    }

    /// <summary>Ends it under the hands of a thread that waits.</summary>
    public void Break() => TcpSockets.Break(Socket);

    public virtual void Dispose() => Socket.Dispose();

    protected SafeFileHandle Socket { get; } = socket;

    protected TimeSpan Patience { get; } = patience;

    protected RepoFetchException Failed(Errno errno, Exception? inner = null) => Failure(errno, Patience, inner);

    /// <summary>What an error number of a connection means.</summary>
    public static RepoFetchException Failure(Errno errno, TimeSpan patience, Exception? inner = null) => new(errno switch
    {
        Errno.EAGAIN or Errno.ETIMEDOUT => Stalled(patience),
        Errno.ECONNREFUSED => "connection refused",
        Errno.ECONNRESET or Errno.EPIPE => "the server broke the connection",
        _ => $"connection failed: {PosixException.Reason(errno)}",
    }, isPassing: true, inner)
    { IsBreak = errno is Errno.ECONNRESET or Errno.EPIPE };

    protected static string Stalled(TimeSpan patience) =>
        string.Create(CultureInfo.InvariantCulture, $"nothing came for {patience.TotalSeconds:0.###} seconds");
}
