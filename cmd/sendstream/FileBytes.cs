using Layerbox.Posix;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>An open file that is read at any offset.</summary>
/// <param name="file">The file; is not closed.</param>
/// <param name="name">What messages call it.</param>
internal sealed class FileBytes(SafeFileHandle file, string name) : StreamBytes
{
    public override void ReadAt(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count = Files.ReadAt(file, destination, offset, name);
            if (count == 0)
                throw new InvalidDataException($"{name}: has become shorter since it was first read");
            offset += count;
            destination = destination[count..];
        }
    }
}
