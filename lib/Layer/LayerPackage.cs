using System.Security.Cryptography;
using Layerbox.Archive;
using Layerbox.Compression;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;
using Layerbox.SendStream;

namespace Layerbox.Layer;

/// <summary>What a package turned out to be.</summary>
/// <param name="Size">Bytes of the file; of a directory, those of all its files.</param>
/// <param name="Digest">"sha256:…" of the file; of a directory, the content digest.</param>
public sealed record Packaged(long Size, string Digest);

/// <summary>Writes a layer in a form that leaves this machine. Same content, same bytes, whichever volume it lies on; whole or not at all.</summary>
public static class LayerPackage
{
    public const string SendStream = "sendstream", SendStreamZstd = "sendstream.zst", Tar = "tar", TarGzip = "tar.gz", TarZstd = "tar.zst", Folder = "directory";

    /// <summary>Every format there is, by the names of --format.</summary>
    public static IReadOnlyList<string> Formats { get; } = [SendStream, SendStreamZstd, Tar, TarGzip, TarZstd, Folder];

    /// <exception cref="PosixException">Among others EEXIST: something is at the path already.</exception>
    public static Packaged Write(BuiltLayer layer, string format, string path, Action<long>? progress)
    {
        if (format == Folder)
            return WriteFolder(layer, path, progress);
        using OutputFile output = OutputFile.Create(path, replace: false);
        using CountingStream counted = new(output.Stream, progress);
        WriteStream(layer, format, counted);
        output.Commit();
        return new Packaged(counted.Count, counted.Digest());
    }

    /// <summary>The same into a stream, for pipes; everything but a directory.</summary>
    public static void WriteStream(BuiltLayer layer, string format, Stream output)
    {
        CompressionKind kind = format switch
        {
            SendStreamZstd or TarZstd => CompressionKind.Zstd,
            TarGzip => CompressionKind.Gzip,
            _ => CompressionKind.None,
        };
        using Stream? compressed = kind == CompressionKind.None ? null : Compressed.OpenWrite(output, kind, leaveOpen: true);
        Stream target = compressed ?? output;
        if (format is SendStream or SendStreamZstd)
            CanonicalSendStream.Write(target, layer.Tree, layer.Handle.Layer);
        else
            TarWriter.Write(target, layer.Tree);
    }

    private static Packaged WriteFolder(BuiltLayer layer, string path, Action<long>? progress)
    {
        using (OutputDirectory output = OutputDirectory.Create(path))
        {
            RootfsWriter.Apply(output.TemporaryPath, LayerSeal.EmptySubvolume(), layer.Tree, new RootfsWriteOptions { Progress = made => progress?.Invoke(made.Bytes) });
            output.Commit();
        }
        long size = layer.Tree.Walk().Select(e => e.Value.Content).OfType<FileContent>().Distinct().Sum(c => c.Size);
        return new Packaged(size, layer.Handle.Digest);
    }

    private sealed class CountingStream(Stream inner, Action<long>? progress) : Stream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long Count { get; private set; }

        public string Digest() => LayerSeal.Sha256(_hash.GetCurrentHash());

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            inner.Write(buffer);
            _hash.AppendData(buffer);
            Count += buffer.Length;
            progress?.Invoke(Count);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() => inner.Flush();
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                _hash.Dispose();
            base.Dispose(disposing);
        }
    }
}
