using System.Globalization;
using Layerbox.Posix;
using Layerbox.Rpm;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <content>Objects that are files already.</content>
public sealed partial class SnapshotStore
{
    /// <summary>
    /// Takes a file as an object, unless there is one: by sharing its data where the filesystem can do that. It is kept in <c>tmp</c> until <see cref="PutInPlace"/>.
    /// </summary>
    /// <param name="from">Where it is.</param>
    /// <param name="expected">The checksum that it must have.</param>
    /// <param name="size">And its bytes, where they are known.</param>
    /// <param name="wrong">What is wrong with it.</param>
    /// <returns>Its bytes, or 0 when there is one; null when something is wrong.</returns>
    internal long? Adopt(string from, RpmChecksum expected, long? size, out string? wrong)
    {
        wrong = null;
        if (Find(expected, size) is not null)
            return 0;
        string part = Below(string.Create(CultureInfo.InvariantCulture, $"tmp/{Interlocked.Increment(ref _parts)}.part"));
        try
        {
            using SafeFileHandle? source = Files.TryOpen(from, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking);
            if (source is null || Files.Status(source) is not { IsRegular: true } status)
            {
                wrong = source is null ? "it is not there" : "it is no regular file";
                return null;
            }
            using SafeFileHandle to = Files.Open(part, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, ReadForAll);
            if (!Files.TryClone(source, to))
                Files.CopyRange(source, 0, to, 0, status.Size);
            bool isAlias = expected.Algorithm != RpmDigestAlgorithm.Sha256;
            string[] found = ObjectDigests.Of(to, part, isAlias ? [RpmDigestAlgorithm.Sha256, expected.Algorithm] : [RpmDigestAlgorithm.Sha256]);
            if (found[^1] != expected.Digits || (size is not null && size != status.Size))
            {
                Files.Remove(part);
                wrong = found[^1] != expected.Digits ? $"it is {expected with { Digits = found[^1] }}, which should be {expected}"
                    : string.Create(CultureInfo.InvariantCulture, $"it has {status.Size} bytes, which should be {size}");
                return null;
            }
            Files.Rename(part, StagedPath(found[0]), replace: true);
            if (isAlias)
                Aliases.Add(expected, found[0]);
            return status.Size;
        }
        catch
        {
            if (Files.Exists(part))
                Files.Remove(part);
            throw;
        }
    }
}
