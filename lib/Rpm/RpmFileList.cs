using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>The files of a package, in the order of its header, with that of the payload not necessarily the same.</summary>
public static class RpmFileList
{
    /// <summary>All files.</summary>
    /// <exception cref="InvalidDataException">The header's lists do not fit together: which, and how.</exception>
    public static IReadOnlyList<RpmFile> Read(RpmPackage package)
    {
        RpmHeader header = package.Header;
        Columns columns = new(header);
        RpmFile[] files = new RpmFile[columns.Count];
        for (int i = 0; i < files.Length; i++)
            files[i] = columns.File(i);
        return files;
    }

    /// <summary>The algorithm of the files' digests. Packages that do not say have MD5.</summary>
    public static RpmDigestAlgorithm DigestAlgorithm(RpmPackage package) =>
        (RpmDigestAlgorithm)(package.Header.Number(RpmTag.FileDigestAlgorithm) ?? (ulong)RpmDigestAlgorithm.Md5);

    private sealed class Columns
    {
        private readonly RpmStrings _baseNames, _directories, _oldNames, _users, _groups, _targets, _digests, _capabilities, _languages;
        private readonly ulong[] _directoryOf, _modes, _sizes, _times, _flags, _deviceNumbers, _inodes, _devices, _verifyFlags;

        public Columns(RpmHeader header)
        {
            _baseNames = header.Strings(RpmTag.BaseNames);
            _oldNames = header.Strings(RpmTag.OldFileNames);
            Count = _baseNames.Count > 0 ? _baseNames.Count : _oldNames.Count;
            _directories = header.Strings(RpmTag.DirNames);
            _directoryOf = Numbers(header, RpmTag.DirIndexes, isNeeded: _baseNames.Count > 0);
            _modes = Numbers(header, RpmTag.FileModes, isNeeded: true);
            _sizes = header.Has(RpmTag.LongFileSizes) ? Numbers(header, RpmTag.LongFileSizes, isNeeded: true) : Numbers(header, RpmTag.FileSizes, isNeeded: true);
            _times = Numbers(header, RpmTag.FileMtimes);
            _flags = Numbers(header, RpmTag.FileFlags);
            _deviceNumbers = Numbers(header, RpmTag.FileRdevs);
            _inodes = Numbers(header, RpmTag.FileInodes);
            _devices = Numbers(header, RpmTag.FileDevices);
            _verifyFlags = Numbers(header, RpmTag.FileVerifyFlags);
            _users = Strings(header, RpmTag.FileUserName);
            _groups = Strings(header, RpmTag.FileGroupName);
            _targets = Strings(header, RpmTag.FileLinkTos);
            _digests = Strings(header, RpmTag.FileDigests);
            _capabilities = Strings(header, RpmTag.FileCaps);
            _languages = Strings(header, RpmTag.FileLangs);
        }

        public int Count { get; }

        public RpmFile File(int i) => new(
            i,
            PathOf(i),
            (uint)_modes[i] & 0xFFFF,
            _sizes[i] <= long.MaxValue ? (long)_sizes[i] : throw Fault(RpmTag.LongFileSizes, string.Create(CultureInfo.InvariantCulture, $"{_sizes[i]} bytes are more than a file can have")),
            (long)At(_times, i),
            (RpmFileFlags)At(_flags, i))
        {
            User = Text(_users, i),
            Group = Text(_groups, i),
            Digest = Text(_digests, i),
            Target = _targets.Count > 0 ? _targets[i].ToArray() : [],
            DeviceMajor = (uint)(At(_deviceNumbers, i) >> 8) & 0xFF,
            DeviceMinor = (uint)At(_deviceNumbers, i) & 0xFF,
            Inode = At(_inodes, i),
            Device = At(_devices, i),
            Capabilities = Text(_capabilities, i),
            Language = Text(_languages, i),
            VerifyFlags = (uint)At(_verifyFlags, i),
        };

        private byte[] PathOf(int i)
        {
            if (_baseNames.Count == 0)
                return _oldNames[i].ToArray();
            ulong directory = _directoryOf[i];
            return directory < (ulong)_directories.Count
                ? [.. _directories[(int)directory], .. _baseNames[i]]
                : throw Fault(RpmTag.DirIndexes, string.Create(CultureInfo.InvariantCulture, $"file {i} is in directory {directory} of {_directories.Count}"));
        }

        private ulong[] Numbers(RpmHeader header, RpmTag tag, bool isNeeded = false)
        {
            ulong[] numbers = header.Numbers(tag);
            Check(tag, numbers.Length, isNeeded);
            return numbers;
        }

        private RpmStrings Strings(RpmHeader header, RpmTag tag)
        {
            RpmStrings strings = header.Strings(tag);
            Check(tag, strings.Count, isNeeded: false);
            return strings;
        }

        private void Check(RpmTag tag, int count, bool isNeeded)
        {
            if (count != Count && (count != 0 || (isNeeded && Count > 0)))
                throw Fault(tag, string.Create(CultureInfo.InvariantCulture, $"{count} values for {Count} files"));
        }

        // Most values are the same as those before: "root", "".
        private static string Text(RpmStrings strings, int i)
        {
            if (strings.Count == 0)
                return "";
            ReadOnlySpan<byte> bytes = strings[i];
            return bytes.IsEmpty ? "" : bytes.SequenceEqual("root"u8) ? "root" : RpmHeader.Decode(bytes);
        }

        private static ulong At(ulong[] numbers, int i) => numbers.Length > 0 ? numbers[i] : 0;

        private static InvalidDataException Fault(RpmTag tag, string reason) =>
            new($"{RpmFormat.NameOf(RpmHeaderKind.Main)}: {RpmTagNames.Of(tag, RpmHeaderKind.Main)}: {reason}");
    }
}
