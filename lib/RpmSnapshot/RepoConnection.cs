using Layerbox.Posix;
using Layerbox.RpmSnapshot.Http;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of a repository could not be had; the message says why, without the URL.</summary>
/// <param name="isPassing">Whether it may be better in a moment.</param>
public sealed class RepoFetchException(string message, bool isPassing = false, Exception? inner = null) : IOException(message, inner)
{
    public bool IsPassing { get; } = isPassing;
}

/// <summary>A way to a repository's files, for one thread.</summary>
internal abstract class RepoConnection : IDisposable
{
    public static RepoConnection Open(RepoUrl url, Connector connector) => url.IsDirectory ? new DirectoryConnection() : new HttpConnection(connector);

    /// <summary>Starts to read a file. Its stream is to be disposed before the next one is asked for.</summary>
    /// <param name="url">Its URL.</param>
    /// <param name="length">Bytes that it is said to have; null when that is not said.</param>
    /// <exception cref="RepoFetchException">It cannot be had; the stream's reads throw that, too.</exception>
    public abstract Stream Get(RepoUrl url, out long? length);

    public virtual void Dispose()
    {
    }

    private sealed class DirectoryConnection : RepoConnection
    {
        public override Stream Get(RepoUrl url, out long? length)
        {
            try
            {
                // Not blocking: a fifo must not hang us.
                SafeFileHandle file = Files.Open(url.Path, OpenFlags.ReadOnly | OpenFlags.NonBlocking | OpenFlags.NoControllingTerminal);
                FileStatus status = Files.Status(file);
                if (!status.IsRegular)
                {
                    file.Dispose();
                    throw new RepoFetchException("is no regular file");
                }
                length = status.Size;
                return new FdStream(file, url.Path);
            }
            catch (PosixException e)
            {
                throw new RepoFetchException(PosixException.Reason(e.Errno), isPassing: false, e);
            }
        }
    }
}
