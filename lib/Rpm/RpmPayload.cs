using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Archive;
using Layerbox.Compression;
using Layerbox.FileTree;

namespace Layerbox.Rpm;

/// <summary>
/// Reads a package's payload, once and forwards, and hands out the bytes of each file. The header rules: what the payload says is only
/// compared with it. Nothing is trusted before it was compared, but what is wrong is known for sure only at the end, so who keeps files
/// must be able to give them up until then.
/// </summary>
public sealed class RpmPayload : IDisposable
{
    // RPMs are made with the usual levels; rpm itself accepts no larger window than zstd's default of 128 MiB.
    private const int MaxWindowLog = RepoMetadata.MaxWindowLog;

    /// <summary>Zeros are left out of files in pieces of this size, which become holes; where data comes in two pieces, from the smaller size on.</summary>
    private const int HoleSize = 64 * 1024, PartSize = 4096;

    private readonly RpmPackage _package;
    private readonly IReadOnlyList<RpmFile> _files;
    private readonly RpmChecks _checks;
    private readonly Action<RpmFinding> _report;
    private readonly RpmDigests _digests;
    private readonly IncrementalHash? _fileHash;
    private readonly Dictionary<string, int> _byName = new(StringComparer.Ordinal);
    private readonly bool[] _seen;
    private readonly RpmHardLinks _links;
    private int _next;

    /// <param name="package">A package whose payload was not read yet.</param>
    /// <param name="files">Its files.</param>
    /// <param name="checks">What is compared.</param>
    /// <param name="report">Told what is wrong; may throw.</param>
    public RpmPayload(RpmPackage package, IReadOnlyList<RpmFile> files, RpmChecks checks, Action<RpmFinding> report)
    {
        (_package, _files, _checks, _report) = (package, files, checks, report);
        _seen = new bool[files.Count];
        _links = new RpmHardLinks(files);
        _digests = new RpmDigests(package, checks, report);
        RpmDigestAlgorithm algorithm = RpmFileList.DigestAlgorithm(package);
        if ((checks & RpmChecks.Files) != 0 && files.Any(file => file.IsRegular && file.Digest.Length > 0))
            _fileHash = RpmDigest.Start(algorithm) ?? throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"header: filedigestalgo: {(int)algorithm} is not supported"));
    }

    /// <summary>Told how many bytes of the payload were read, now and then.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>The digests and sizes that are compared, by the codes of findings.</summary>
    public IReadOnlyList<string> Checked => [.. _digests.Checked(), .. _fileHash is null ? (string[])[] : [RpmFindingCodes.FileDigest]];

    /// <summary>Reads all of it.</summary>
    /// <param name="store">Where the bytes of files go; null to only compare them.</param>
    /// <param name="onContent">Told each file that has bytes, and its content; all names of a hard-linked file with the same one.</param>
    /// <exception cref="InvalidDataException">It cannot be read further: what, and where. The digests of what is in the file were compared nevertheless.</exception>
    public void Read(ContentStore? store, Action<RpmFile, FileContent>? onContent)
    {
        if ((_checks & RpmChecks.Header) != 0)
            RpmDigests.CheckHeader(_package, _report);
        long passed = 0;
        TappedStream packed = new(_package.Input.Take, bytes =>
        {
            _digests.AppendPacked(bytes);
            Progress?.Invoke(passed += bytes.Length);
        });
        byte[] rest = new byte[HoleSize];
        long? archiveSize = null;
        try
        {
            using Stream archive = Open(packed);
            using TappedStream tapped = new(archive.Read, _digests.AppendArchive);
            ReadArchive(tapped, store, onContent);
            while (tapped.Read(rest) > 0)
            {
            }
            archiveSize = tapped.Count;
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"payload: {e.Message}", e);
        }
        finally
        {
            while (packed.Read(rest) > 0)
            {
            }
            _digests.Finish(packed.Count, archiveSize);
        }
    }

    private Stream Open(Stream packed)
    {
        if (Compressor() is { } kind)
            return Decompression.Open(packed, kind, MaxWindowLog, leaveOpen: true);
        // Packages that do not say are either old and have gzip, or have nothing at all ("w.ufdio").
        Stream archive = Decompression.Open(packed, out CompressionKind found, leaveOpen: true);
        if (found is CompressionKind.None or CompressionKind.Gzip)
            return archive;
        archive.Dispose();
        throw new InvalidDataException($"compressed with {found}, which the header does not say");
    }

    private CompressionKind? Compressor()
    {
        string format = _package.Header.Text(RpmTag.PayloadFormat) ?? "cpio";
        if (format != "cpio")
            throw new InvalidDataException($"the format '{BytesText.Escape(Encoding.UTF8.GetBytes(format))}' is not supported");
        string? compressor = _package.Header.Text(RpmTag.PayloadCompressor);
        return compressor switch
        {
            null => null,
            "none" => CompressionKind.None,
            "gzip" => CompressionKind.Gzip,
            "bzip2" => CompressionKind.Bzip2,
            "xz" => CompressionKind.Xz,
            "lzma" => CompressionKind.Lzma,
            "zstd" => CompressionKind.Zstd,
            _ => throw new InvalidDataException($"the compressor '{BytesText.Escape(Encoding.UTF8.GetBytes(compressor))}' is not supported"),
        };
    }

    private void ReadArchive(Stream archive, ContentStore? store, Action<RpmFile, FileContent>? onContent)
    {
        using CpioReader cpio = new(archive, SizeOf);
        while (cpio.Next() is { } member)
        {
            if (Find(member) is not { } file)
                continue;
            if (_seen[file.Index])
            {
                Report(RpmFindingCodes.FileTwice, file, "it is in the payload twice");
                continue;
            }
            _seen[file.Index] = true;
            if (member.Index is null && (member.Mode & RpmFile.KindMask) != file.Kind)
                Report(RpmFindingCodes.FileKind, file, $"its mode is {Octal(member.Mode)} in the payload and {Octal(file.Mode)} in the header");
            else if (file.IsRegular)
                TakeFile(cpio, member, file, store, onContent);
            else if (file.IsSymlink)
                CompareTarget(cpio, file);
        }
        foreach (RpmFile file in _files)
            if (!file.IsGhost && !_seen[file.Index])
                Report(RpmFindingCodes.FileMissing, file, "it is not in the payload");
            else if (!file.IsGhost && file.IsRegular && _links.IsWaiting(file))
                Report(RpmFindingCodes.FileMissing, file, "it is a hard link, and none of its names brings the bytes");
    }

    private void TakeFile(CpioReader cpio, CpioMember member, RpmFile file, ContentStore? store, Action<RpmFile, FileContent>? onContent)
    {
        // All names of a hard-linked file but the last have no bytes.
        if (member.Size == 0 && _links.MustWait(file))
            return;
        if (member.Size != file.Size)
        {
            Report(RpmFindingCodes.FileSize, file, string.Create(CultureInfo.InvariantCulture, $"it has {member.Size} bytes in the payload, expected {file.Size}"));
            return;
        }
        using ContentWriter? writer = store?.Create();
        long offset = 0;
        for (ReadOnlySpan<byte> piece = cpio.Take(); !piece.IsEmpty; piece = cpio.Take())
        {
            if (file.Digest.Length > 0)
                _fileHash?.AppendData(piece);
            if (writer is not null)
                WriteData(writer, offset, piece);
            offset += piece.Length;
        }
        byte[]? digest = null;
        if (_fileHash is not null && file.Digest.Length > 0)
        {
            digest = _fileHash.GetHashAndReset();
            if (!RpmDigest.AreSame(file.Digest, digest))
                Report(RpmFindingCodes.FileDigest, file, $"its digest is {Convert.ToHexStringLower(digest)}, expected {file.Digest}");
        }
        IReadOnlyList<RpmFile> names = _links.Settle(file);
        foreach (RpmFile name in names)
            if (name.Size != file.Size || name.Digest != file.Digest)
                Report(RpmFindingCodes.FileDigest, name, $"it is a hard link to '{BytesText.Escape(file.Path)}', and the header says other sizes or digests of the two");
        if (writer is null)
            return;
        if (writer.Size < offset)
            writer.SetSize(offset);
        FileContent content = writer.Complete();
        if (digest is not null && _fileHash!.AlgorithmName == HashAlgorithmName.SHA256)
            content.SetDigest(digest);
        foreach (RpmFile name in names)
            onContent?.Invoke(name, content);
    }

    private static void WriteData(ContentWriter writer, long offset, ReadOnlySpan<byte> piece)
    {
        int start = 0;
        for (int at = 0; at < piece.Length;)
        {
            int end = (int)Math.Min(piece.Length, at + HoleSize - ((offset + at) % HoleSize));
            bool isLarge = end - at == HoleSize || (end - at >= PartSize && (at == 0 || end == piece.Length) && offset + end >= HoleSize);
            if (isLarge && !piece[at..end].ContainsAnyExcept((byte)0))
            {
                if (at > start)
                    writer.Write(offset + start, piece[start..at]);
                start = end;
            }
            at = end;
        }
        if (start < piece.Length)
            writer.Write(offset + start, piece[start..]);
    }

    private void CompareTarget(CpioReader cpio, RpmFile file)
    {
        using MemoryStream target = new();
        for (ReadOnlySpan<byte> piece = cpio.Take(); !piece.IsEmpty; piece = cpio.Take())
            if (target.Length <= TreePath.MaxLength)
                target.Write(piece[..Math.Min(piece.Length, TreePath.MaxLength + 1)]);
        if (!target.GetBuffer().AsSpan(0, (int)target.Length).SequenceEqual(file.Target))
            Report(RpmFindingCodes.LinkTarget, file, $"it points to '{BytesText.Escape(target.ToArray())}' in the payload and to '{BytesText.Escape(file.Target)}' in the header");
    }

    private long SizeOf(uint index)
    {
        if (index >= _files.Count)
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"file {index} of {_files.Count}"));
        RpmFile file = _files[(int)index];
        return file.IsRegular ? (_links.IsLast(file) ? file.Size : 0) : file.IsSymlink ? file.Target.Length : 0;
    }

    private RpmFile? Find(CpioMember member)
    {
        if (member.Index is { } index)
            return _files[(int)index];
        ReadOnlySpan<byte> name = Stripped(member.Name);
        // Mostly the payload has the files in the order of the header.
        while (_next < _files.Count && _files[_next].IsGhost)
            _next++;
        if (_next < _files.Count && Stripped(_files[_next].Path).SequenceEqual(name))
            return _files[_next++];
        if (_byName.Count == 0)
            foreach (RpmFile file in _files)
                _byName[Encoding.Latin1.GetString(Stripped(file.Path))] = file.Index;
        if (_byName.TryGetValue(Encoding.Latin1.GetString(name), out int found) && !_files[found].IsGhost)
        {
            _next = found + 1;
            return _files[found];
        }
        _report(new RpmFinding(RpmFindingCodes.FileUnexpected, $"'{BytesText.Escape(member.Name)}' is in the payload and not in the header", member.Name));
        return null;
    }

    // "./usr/bin/x", "/usr/bin/x" and, in old packages, "usr/bin/x" are the same.
    private static ReadOnlySpan<byte> Stripped(ReadOnlySpan<byte> name)
    {
        if (name.StartsWith("./"u8))
            name = name[2..];
        return name.TrimStart((byte)'/');
    }

    private static string Octal(uint mode) => Convert.ToString(mode, 8);

    private void Report(string code, RpmFile file, string message) => _report(new RpmFinding(code, message, file.Path));

    public void Dispose()
    {
        _digests.Dispose();
        _fileHash?.Dispose();
    }
}
