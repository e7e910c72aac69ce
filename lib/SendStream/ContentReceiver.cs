using Layerbox.FileTree;

namespace Layerbox.SendStream;

/// <summary>What becomes of the bytes of files that commands speak of. Ranges were checked before; the command is there for its data, and to be named in errors.</summary>
internal abstract class ContentReceiver : IDisposable
{
    /// <summary>What a new file has.</summary>
    public static FileContent Nothing { get; } = new MemoryContent([]);

    /// <summary>The content of a file of a subvolume that was not given.</summary>
    public abstract FileContent Unknown();

    /// <summary>The size of a file as it is now; the largest there is where nobody knows.</summary>
    public abstract long SizeOf(Inode file);

    /// <summary>Writes the data of a command.</summary>
    public abstract void Write(Inode file, long offset, SendCommand command);

    /// <summary>Writes what the data of a command decodes to.</summary>
    /// <exception cref="SendStreamException">It cannot be decoded.</exception>
    public abstract void WriteEncoded(Inode file, long offset, EncodedExtent extent, SendCommand command);

    /// <summary>Says that a range was written, but not what: of streams without data.</summary>
    public abstract void Mark(Inode file, long offset, long length, SendCommand command);

    /// <summary>Copies a range of a file as it is now.</summary>
    public abstract void Copy(Inode source, long sourceOffset, long length, Inode file, long offset, SendCommand command);

    public abstract void SetSize(Inode file, long size, SendCommand command);

    /// <summary>Makes a range that lies within the file a hole.</summary>
    public abstract void Clear(Inode file, long offset, long length, SendCommand command);

    /// <summary>Ends a subvolume: its contents do not change any more.</summary>
    public abstract void Complete();

    /// <summary>Gives up what is not complete.</summary>
    public abstract void Dispose();
}
