using System.Buffers;
using Layerbox.FileTree;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>Whether bytes that lie on disk already are shared with their source.</summary>
public enum Reflink
{
    /// <summary>Where the filesystem can; else they are copied.</summary>
    Auto,

    /// <summary>Where it cannot, that is an error.</summary>
    Always,
}

/// <summary>Puts contents, whatever they are, into open files.</summary>
internal static class ContentCopy
{
    private const int BufferSize = 128 * 1024;

    /// <summary>All of a content into an empty file.</summary>
    /// <exception cref="InvalidDataException">The source is not as long as it said, or changed meanwhile.</exception>
    public static void Write(FileContent content, SafeFileHandle file, Reflink reflink)
    {
        switch (content)
        {
            case { Size: 0 }:
                break;
            case MemoryContent memory:
                Files.WriteAt(file, memory.Bytes, 0);
                break;
            case DiskContent disk:
                using (SafeFileHandle source = disk.OpenFile())
                {
                    if (!Files.TryClone(source, file))
                    {
                        if (reflink == Reflink.Always)
                            throw new InvalidDataException($"{disk}: its bytes cannot be shared: it does not lie on the same btrfs as the target");
                        disk.EnsureUnchanged(source); // nothing but a regular file can be copied
                        Files.CopySparse(source, file, disk.Size);
                    }
                    disk.EnsureUnchanged(source);
                }
                break;
            default:
                Stream(content, 0, content.Size, file, 0);
                Files.Truncate(file, content.Size);
                break;
        }
    }

    /// <summary>A range of a content to an offset of a file, by shared extents where the range ends on blocks.</summary>
    public static void WriteRange(FileContent content, long sourceOffset, long length, SafeFileHandle file, long offset)
    {
        if (length == 0)
            return;
        if (content is not DiskContent disk)
        {
            Stream(content, sourceOffset, length, file, offset);
            return;
        }
        using SafeFileHandle source = disk.OpenFile();
        if (!Files.TryCloneRange(source, sourceOffset, length, file, offset)
            && Files.CopyRange(source, sourceOffset, file, offset, length) < length)
            throw disk.Changed();
        disk.EnsureUnchanged(source);
    }

    private static void Stream(FileContent content, long from, long length, SafeFileHandle file, long offset)
    {
        using Stream source = content.Open();
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(length, 1, BufferSize));
        try
        {
            Skip(source, from, buffer);
            bool isNew = from == 0 && offset == 0 && length == content.Size;
            foreach (Extent extent in isNew ? content.Extents : [new Extent(0, length, IsHole: false)])
            {
                if (extent.IsHole)
                {
                    Skip(source, extent.Length, buffer);
                    continue;
                }
                for (long done = 0; done < extent.Length;)
                {
                    int n = source.Read(buffer, 0, (int)Math.Min(buffer.Length, extent.Length - done));
                    if (n == 0)
                        throw TooShort(content);
                    Files.WriteAt(file, buffer.AsSpan(0, n), offset + extent.Offset + done);
                    done += n;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        void Skip(Stream source, long count, byte[] buffer)
        {
            if (count > 0 && source.CanSeek)
                source.Position += count;
            else
                for (int n; count > 0; count -= n)
                    if ((n = source.Read(buffer, 0, (int)Math.Min(buffer.Length, count))) == 0)
                        throw TooShort(content);
        }
    }

    private static InvalidDataException TooShort(FileContent content) =>
        new($"{content}: ended before its {content.Size} bytes were read");
}
