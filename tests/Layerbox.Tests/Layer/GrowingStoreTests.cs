using Layerbox.Btrfs;
using Layerbox.FileTree;
using Layerbox.Layer;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

public class GrowingStoreTests
{
    private const long Small = 256L << 20, Large = 2L << 30;

    /// <summary>Nothing is written here: as long as the kernel has not written it either, the filesystem does not count it.</summary>
    [Fact]
    public void The_volume_grows_with_what_is_written_not_with_a_guess()
    {
        using TempImage image = TempImage.OrSkip();
        Volume volume = Volume.Make(image.Path, Small);
        using ContentWriter writer = new GrowingStore(new Nowhere(), volume).Create();
        byte[] piece = new byte[1 << 20];
        for (long offset = 0; offset < Large; offset += piece.Length)
            writer.Write(offset, piece);
        Assert.InRange(volume.Free, Large, 3 * Large);
    }

    [Fact]
    public void A_filesystem_that_cannot_grow_is_written_to_all_the_same()
    {
        using TempVolume disk = TempVolume.OrSkip(Small);
        Volume volume = Volume.Open(disk.Path);
        using ContentWriter writer = new GrowingStore(new Nowhere(), volume).Create();
        byte[] piece = new byte[64 << 20];
        for (long offset = 0; offset < Large; offset += piece.Length)
            writer.Write(offset, piece);
        Assert.Equal(Large, writer.Size);
    }

    private sealed class Nowhere : ContentStore
    {
        public override ContentWriter Create(FileContent? initial = null) => new Writer();

        private sealed class Writer : ContentWriter
        {
            private long _size;

            public override long Size => _size;
            public override void Write(long offset, ReadOnlySpan<byte> bytes) => _size = Math.Max(_size, offset + bytes.Length);
            public override void SetSize(long size) => _size = size;
            public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset) => _size = Math.Max(_size, offset + length);
            public override FileContent Complete() => new MemoryContent([]);
        }
    }
}
