namespace Layerbox.SendStream;

/// <summary>Shows a part of a file where it lies in memory; what was shown before is not valid any more.</summary>
/// <param name="offset">Where the part begins, in bytes.</param>
/// <param name="length">How long it is; it never reaches beyond the end of the file.</param>
public delegate ReadOnlyMemory<byte> FileView(long offset, int length);

/// <summary>
/// Send streams in a file that need not be read, because it can be looked at in memory: nothing is copied, and several threads may
/// check the CRCs of what is shown.
/// </summary>
/// <param name="view">Shows the file.</param>
/// <param name="fileLength">Its size in bytes.</param>
/// <param name="threads">How many threads check CRCs, 1 being the reader's own.</param>
public sealed class MappedStreams(FileView view, long fileLength, int threads = 1) : IDisposable
{
    /// <summary>So much is shown at once: enough to make system calls rare, and little to keep in memory.</summary>
    private const int WindowLength = 4 << 20;

    internal FrameVerifier? Verifier { get; } = threads > 1 ? new FrameVerifier(threads) : null;

    /// <summary>Shows at least so many bytes, or all to the end of the file.</summary>
    internal ReadOnlyMemory<byte> Show(long offset, int length) =>
        offset < fileLength ? view(offset, (int)Math.Min(Math.Max(length, WindowLength), fileLength - offset)) : default;

    /// <summary>Ends the threads.</summary>
    public void Dispose() => Verifier?.Dispose();
}
