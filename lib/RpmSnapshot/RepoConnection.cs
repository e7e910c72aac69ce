using Layerbox.Posix;
using Layerbox.RpmSnapshot.Http;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>A file of a repository could not be had; the message says why, without the URL.</summary>
/// <param name="isPassing">Whether it may be better in a moment.</param>
public sealed class RepoFetchException(string message, bool isPassing = false, Exception? inner = null) : IOException(message, inner)
{
    public bool IsPassing { get; } = isPassing;

    /// <summary>Whether the connection ended, which may have been before the server saw the request.</summary>
    internal bool IsBreak { get; init; }

    /// <summary>How long the server wants to be left alone; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>What is asked for.</summary>
internal readonly record struct RepoAsk(RepoUrl Url)
{
    /// <summary>Bytes of it that we have.</summary>
    public long From { get; init; }

    /// <summary>The version that we have them of; else all of it is wanted.</summary>
    public string? IfRange { get; init; }

    /// <summary>Versions that we have all of.</summary>
    public string? IfNoneMatch { get; init; }

    public string? IfModifiedSince { get; init; }
}

/// <summary>A file that comes.</summary>
/// <param name="Body">Its bytes from <paramref name="From"/> on; reading it may throw <see cref="RepoFetchException"/>.</param>
/// <param name="From">How many come not: as many as were asked for, or none.</param>
/// <param name="Size">Bytes of all of it; null when that is not said.</param>
internal sealed record RepoAnswer(Stream Body, long From, long? Size) : IDisposable
{
    /// <summary>The server's name for this version.</summary>
    public string? ETag { get; init; }

    public string? LastModified { get; init; }

    /// <summary>Whether the body says where it ends, and did not just stop with the connection.</summary>
    public bool SaysItsEnd { get; init; } = true;

    /// <summary>It is the version that we have; there is no body.</summary>
    public bool IsUnchanged { get; init; }

    public void Dispose() => Body.Dispose();
}

/// <summary>A way to repositories' files, for one thread.</summary>
internal sealed class RepoConnection(Connector connector) : IDisposable
{
    private readonly HttpConnection _http = new(connector);

    /// <summary>Starts to read a file. The answer is to be disposed before the next one is asked for.</summary>
    /// <exception cref="RepoFetchException">It cannot be had.</exception>
    public RepoAnswer Ask(RepoAsk ask) => ask.Url.IsDirectory ? OpenFile(ask.Url) : _http.Ask(ask);

    public void Dispose() => _http.Dispose();

    private static RepoAnswer OpenFile(RepoUrl url)
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
            return new RepoAnswer(new FdStream(file, url.Path), 0, status.Size);
        }
        catch (PosixException e)
        {
            throw new RepoFetchException(PosixException.Reason(e.Errno), isPassing: false, e);
        }
    }
}
