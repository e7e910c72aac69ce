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
}

/// <summary>An input that is held in memory.</summary>
public sealed class MemoryBytes(ReadOnlyMemory<byte> bytes) : StreamBytes
{
    public override void ReadAt(long offset, Span<byte> destination) => bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);
}
