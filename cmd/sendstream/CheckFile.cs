using Layerbox.Posix;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>A file without a name in the folder for temporary files.</summary>
internal sealed class CheckFile : CheckSpool
{
    private readonly SafeFileHandle _file = Files.OpenTemporary(Path.GetTempPath());

    public override void WriteAt(long offset, ReadOnlySpan<byte> bytes) => Files.WriteAt(_file, bytes, offset, Path.GetTempPath());

    public override void ReadAt(long offset, Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int count = Files.ReadAt(_file, bytes, offset, Path.GetTempPath());
            if (count == 0)
                throw new EndOfStreamException();
            offset += count;
            bytes = bytes[count..];
        }
    }

    public override void Dispose() => _file.Dispose();
}
