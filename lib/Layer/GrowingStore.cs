using Layerbox.Btrfs;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>Another store, whose volume is made larger while it is written: what an archive unpacks to is not known before it is read.</summary>
internal sealed class GrowingStore(ContentStore inner, Volume volume) : ContentStore
{
    private const long Step = 64 << 20;

    /// <summary>So much may wait in the kernel's memory, where it does not yet count as taken.</summary>
    private const long MostUnwritten = 4L << 30;

    private long _written;

    public override ContentWriter Create(FileContent? initial = null) => new Writer(this, inner.Create(initial));

    private void Count(long bytes)
    {
        long written = Interlocked.Add(ref _written, bytes);
        if (written / Step != (written - bytes) / Step)
            volume.MakeRoom(Math.Min(written, MostUnwritten) + Step);
    }

    private sealed class Writer(GrowingStore store, ContentWriter inner) : ContentWriter
    {
        public override long Size => inner.Size;

        public override void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            store.Count(bytes.Length);
            inner.Write(offset, bytes);
        }

        public override void SetSize(long size) => inner.SetSize(size);

        public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset)
        {
            store.Count(length);
            inner.CopyFrom(source, sourceOffset, length, offset);
        }

        public override void Clear(long offset, long length) => inner.Clear(offset, length);

        public override FileContent Complete() => inner.Complete();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
