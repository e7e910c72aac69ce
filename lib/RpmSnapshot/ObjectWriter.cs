using System.Security.Cryptography;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>An object being written: its digests are computed meanwhile. Without <see cref="Finish"/> nothing stays.</summary>
public sealed class ObjectWriter : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly string _path;
    private readonly RpmDigestAlgorithm? _also;
    private readonly IncrementalHash _hash = RpmDigest.Start(RpmDigestAlgorithm.Sha256)!;
    private readonly IncrementalHash? _otherHash;
    private readonly Action<string, RpmChecksum?> _keep;
    private bool _isDone;

    internal ObjectWriter(SafeFileHandle file, string path, RpmDigestAlgorithm? also, Action<string, RpmChecksum?> keep)
    {
        (_file, _path, _keep) = (file, path, keep);
        _also = also is RpmDigestAlgorithm.Sha256 ? null : also;
        _otherHash = _also is { } algorithm ? RpmDigest.Start(algorithm) : null;
    }

    /// <summary>Bytes written.</summary>
    public long Size { get; private set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Files.Write(_file, bytes, _path);
        _hash.AppendData(bytes);
        _otherHash?.AppendData(bytes);
        Size += bytes.Length;
    }

    /// <summary>Ends the object and compares it with what was expected.</summary>
    /// <param name="expected">A checksum that it must have; null for whatever it is.</param>
    /// <returns>Its sha256; null when it has another checksum, and is gone.</returns>
    public string? Finish(RpmChecksum? expected)
    {
        string digest = Convert.ToHexStringLower(_hash.GetHashAndReset());
        RpmChecksum? alias = _otherHash is null ? null : new RpmChecksum(_also!.Value, Convert.ToHexStringLower(_otherHash.GetHashAndReset()));
        Found = expected is { } wanted && wanted.Algorithm != RpmDigestAlgorithm.Sha256 ? alias : new RpmChecksum(RpmDigestAlgorithm.Sha256, digest);
        if (expected is not null && Found != expected)
            return null;
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
        if (!_isDone)
            Files.Remove(_path);
        _isDone = true;
    }
}
