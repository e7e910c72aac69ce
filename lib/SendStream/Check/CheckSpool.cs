namespace Layerbox.SendStream;

/// <summary>Room on a disk for what a check of a large stream has to remember: bytes at offsets, which are read only where they were written.</summary>
public abstract class CheckSpool : IDisposable
{
    /// <exception cref="IOException">There is no room.</exception>
    public abstract void WriteAt(long offset, ReadOnlySpan<byte> bytes);

    public abstract void ReadAt(long offset, Span<byte> bytes);

    public abstract void Dispose();
}
