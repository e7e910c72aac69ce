using Layerbox.Posix;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>An open file that is read at any offset.</summary>
/// <param name="file">The file; is not closed.</param>
/// <param name="name">What messages call it.</param>
internal sealed class FileBytes(SafeFileHandle file, string name) : StreamBytes
{
    private const int PipeCapacity = 1 << 20, CopyLength = 128 << 10;

    private (Stream? Stream, bool IsPipe) _asked;

    /// <summary>A pipe is: it takes references to what the kernel holds of the file.</summary>
    /// <inheritdoc/>
    public override bool IsNearTo(Stream destination)
    {
        if (_asked.Stream == destination)
            return _asked.IsPipe;
        _asked = (destination, destination is FdStream { Handle: var end } && Files.Status(end).IsFifo);
        if (_asked.IsPipe)
            Pipes.SetCapacity(((FdStream)destination).Handle, PipeCapacity);
        return _asked.IsPipe;
    }

    /// <inheritdoc/>
    public override void CopyTo(Stream destination, long offset, long length)
    {
        FdStream pipe = (FdStream)destination;
        for (long moved; length > 0; offset += moved, length -= moved)
        {
            if (Pipes.Splice(file, offset, length, pipe.Handle, pipe.Name) is { } spliced)
            {
                moved = spliced > 0 ? spliced : throw Shorter();
                continue;
            }
            byte[] buffer = new byte[Math.Min(length, CopyLength)];
            ReadAt(offset, buffer);
            pipe.Write(buffer);
            moved = buffer.Length;
        }
    }

    public override void ReadAt(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count = Files.ReadAt(file, destination, offset, name);
            if (count == 0)
                throw Shorter();
            offset += count;
            destination = destination[count..];
        }
    }

    private InvalidDataException Shorter() => new($"{name}: has become shorter since it was first read");
}
