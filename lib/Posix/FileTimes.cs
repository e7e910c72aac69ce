using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>A moment: seconds and nanoseconds since 1970.</summary>
public readonly record struct FileTime(long Seconds, uint Nanoseconds);

/// <summary>All times of a file, those included that <see cref="FileStatus"/> has no use for. Where the filesystem keeps no birth it is 0.</summary>
public readonly record struct FileTimes(FileTime Access, FileTime Modification, FileTime Change, FileTime Birth)
{
    // linux/stat.h
    private const uint STATX_BASIC_STATS = 0x7FF, STATX_BTIME = 0x800;
    private const int AT_EMPTY_PATH = 0x1000;

    public static unsafe FileTimes Of(SafeFileHandle file, string path)
    {
        Libc.StatxBuffer buffer;
        byte empty = 0;
        PosixException.Check(Libc.statx(file, &empty, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &buffer), "stat", path);
        return new FileTimes(Of(buffer.AccessTime), Of(buffer.ModificationTime), Of(buffer.ChangeTime), Of(buffer.BirthTime));
    }

    private static FileTime Of(in Libc.StatxTimestamp time) => new(time.Seconds, time.Nanoseconds);
}
