namespace Layerbox.SendStream;

/// <summary>
/// The bytes of an input, to be read again at any offset: what contents that were received by reference lie in. May be read by several
/// threads at once.
/// </summary>
public abstract class StreamBytes
{
    /// <summary>Fills the destination with the bytes at an offset from the beginning of the input.</summary>
    /// <exception cref="IOException">They cannot be read, or the input has become shorter than it was.</exception>
    public abstract void ReadAt(long offset, Span<byte> destination);

    /// <summary>Whether <see cref="CopyTo"/> gets bytes to a stream faster than reading and writing them.</summary>
    public virtual bool IsNearTo(Stream destination) => false;

    /// <summary>Writes bytes to a stream that <see cref="IsNearTo"/> was asked about.</summary>
    /// <inheritdoc cref="ReadAt" path="/exception"/>
    public virtual void CopyTo(Stream destination, long offset, long length) => throw new NotSupportedException();
}

/// <summary>An input that is held in memory.</summary>
public sealed class MemoryBytes(ReadOnlyMemory<byte> bytes) : StreamBytes
{
    public override void ReadAt(long offset, Span<byte> destination) => bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);
}
