using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>An object being written: its digests are computed meanwhile. Without <see cref="Finish"/> there is no object.</summary>
public sealed class ObjectWriter : IDisposable
{
    private const int BufferSize = 128 * 1024;
    private static readonly byte[] s_versionKey = "user.layerbox.version"u8.ToArray();

    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly RpmDigestAlgorithm? _also;
    private readonly IncrementalHash _hash = RpmDigest.Start(RpmDigestAlgorithm.Sha256)!;
    private readonly IncrementalHash? _otherHash;
    private readonly Action<string, RpmChecksum?> _keep;
    private bool _isDone, _hasVersion;

    /// <param name="file">Empty, or begun by another writer; opened for reading and appending.</param>
    /// <param name="path">Where it is.</param>
    /// <param name="also">A digest that is computed beside.</param>
    /// <param name="keep">Called with the digest, and the one beside it, of what is to be an object.</param>
    internal ObjectWriter(SafeFileHandle file, string path, RpmDigestAlgorithm? also, Action<string, RpmChecksum?> keep)
    {
        (_file, _path, _keep) = (file, path, keep);
        _also = also is RpmDigestAlgorithm.Sha256 ? null : also;
        _otherHash = _also is { } algorithm ? RpmDigest.Start(algorithm) : null;
    }

    /// <summary>Bytes written.</summary>
    public long Size { get; private set; }

    /// <summary>Called at the end, whatever became of it.</summary>
    internal Action? Closed { get; init; }

    /// <summary>What is not finished stays, for the next one who wants the same.</summary>
    internal bool IsResumable { get; init; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Files.Write(_file, bytes, _path);
        Take(bytes);
    }

    /// <summary>Takes what another writer left.</summary>
    internal void Resume()
    {
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BufferSize);
        while (Files.ReadAt(_file, buffer, Size, _path) is var count and > 0)
            Take(buffer.AsSpan(0, count));
        System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>Begins again.</summary>
    internal void Restart()
    {
        if (Size == 0)
            return;
        Files.Truncate(_file, 0, _path);
        _hash.GetHashAndReset();
        _otherHash?.GetHashAndReset();
        Size = 0;
    }

    /// <summary>
    /// Which version of the file this is a part of, in the server's words: for who resumes it after us. Null when nobody knows; then a version that has changed is noticed
    /// by its digest.
    /// </summary>
    internal string? Version
    {
        get
        {
            try
            {
                byte[]? value = Xattrs.Read(_file).Find(pair => pair.Name.AsSpan().SequenceEqual(s_versionKey)).Value;
                _hasVersion = value is not null;
                return value is null ? null : Encoding.UTF8.GetString(value);
            }
            catch (PosixException)
            {
                return null; // a filesystem without attributes
            }
        }
        set
        {
            try
            {
                if (value is not null)
                    Xattrs.Set(_file, s_versionKey, Encoding.UTF8.GetBytes(value), _path);
                else if (_hasVersion)
                    Xattrs.Remove(_file, s_versionKey, _path);
                _hasVersion = value is not null;
            }
            catch (PosixException)
            {
            }
        }
    }

    /// <summary>Ends the object and compares it with what was expected.</summary>
    /// <param name="expected">A checksum that it must have; null for whatever it is.</param>
    /// <returns>Its sha256; null when it has another checksum, and is as it was at its beginning.</returns>
    public string? Finish(RpmChecksum? expected)
    {
        string digest = Convert.ToHexStringLower(_hash.GetHashAndReset());
        RpmChecksum? alias = _otherHash is null ? null : new RpmChecksum(_also!.Value, Convert.ToHexStringLower(_otherHash.GetHashAndReset()));
        Found = expected is { } wanted && wanted.Algorithm != RpmDigestAlgorithm.Sha256 ? alias : new RpmChecksum(RpmDigestAlgorithm.Sha256, digest);
        if (expected is not null && Found != expected)
        {
            Restart();
            return null;
        }
        Version = null;
        if (IsResumable)
            Files.SetMode(_file, SnapshotStore.ReadForAll, _path);
        _keep(digest, alias);
        _isDone = true;
        return digest;
    }

    /// <summary>After <see cref="Finish"/>: what it is, by the algorithm of what was expected; null when that cannot be computed.</summary>
    public RpmChecksum? Found { get; private set; }

    public void Dispose()
    {
        _hash.Dispose();
        _otherHash?.Dispose();
        _file.Dispose();
        if (!_isDone && (!IsResumable || Size == 0))
            Files.Remove(_path);
        _isDone = true;
        Closed?.Invoke();
    }

    private void Take(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        _otherHash?.AppendData(bytes);
        Size += bytes.Length;
    }
}
