using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class ContentStoreTests
{
    [Fact]
    public void Gathers_writes_gaps_cuts_and_copies()
    {
        using ContentWriter writer = new MemoryContentStore().Create(new MemoryContent("abc"u8.ToArray()));
        writer.Write(5, "xy"u8);
        writer.CopyFrom(new MemoryContent("0123456"u8.ToArray()), 2, 3, 8);
        writer.CopyFrom(new Zeros(100_000), 99_000, 2, 0);
        writer.SetSize(12);
        writer.SetSize(10);
        Assert.Equal(10, writer.Size);
        Assert.Equal("\0\0c\0\0xy\023"u8.ToArray(), ((MemoryContent)writer.Complete()).Bytes);
    }

    [Fact]
    public void Refuses_to_copy_what_is_not_there()
    {
        using ContentWriter writer = new MemoryContentStore().Create();
        Assert.ThrowsAny<ArgumentException>(() => writer.CopyFrom(new MemoryContent([1]), 0, 2, 0));
        Assert.Throws<EndOfStreamException>(() => writer.CopyFrom(new Zeros(5), 4, 2, 0));
    }

    /// <summary>A content whose stream cannot seek.</summary>
    private sealed class Zeros(int size) : FileContent
    {
        public override long Size => size;
        public override Stream Open() => new System.IO.Compression.BrotliStream(Packed(), System.IO.Compression.CompressionMode.Decompress);

        private MemoryStream Packed()
        {
            MemoryStream packed = new();
            using (System.IO.Compression.BrotliStream to = new(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
                to.Write(new byte[size]);
            packed.Position = 0;
            return packed;
        }
    }
}
