using Microsoft.Win32.SafeHandles;

namespace Layerbox.Rootfs;

/// <summary>One reading of a <see cref="DiskContent"/>; at the end it checks that the file did not change meanwhile.</summary>
internal sealed class DiskContentStream(DiskContent content, SafeFileHandle file) : Stream
{
    private long _position;

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => content.Size;

    public override long Position
    {
        get => _position;
        set => _position = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value));
    }

    public override int Read(Span<byte> buffer)
    {
        int wanted = (int)Math.Min(buffer.Length, Math.Max(0, content.Size - _position));
        if (wanted == 0)
            return 0;
        int n = content.ReadAt(file, buffer[..wanted], _position);
        if (n == 0)
            throw content.Changed();
        _position += n;
        if (_position == content.Size)
            content.EnsureUnchanged(file);
        return n;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => _position,
        _ => content.Size,
    };

    public override void Flush() { }
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            file.Dispose();
        base.Dispose(disposing);
    }
}
