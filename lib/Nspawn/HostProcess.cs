using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>What /proc tells of a process (proc(5)). All of it is null or empty when the process has ended meanwhile.</summary>
internal static class HostProcess
{
    /// <summary>When it started, in clock ticks since the machine did: with the number it names one process for ever.</summary>
    public static ulong? StartTime(int id)
    {
        // The name, in parentheses, may hold anything; then comes field 3.
        const int Field = 22 - 3;
        if (Bytes(PathOf(id, "stat")) is not { } stat)
            return null;
        ReadOnlySpan<byte> rest = stat.AsSpan(stat.AsSpan().LastIndexOf((byte)')') + 2);
        for (int i = 0; i < Field; i++)
            rest = rest[(rest.IndexOf((byte)' ') + 1)..];
        return Utf8Parser.TryParse(rest, out ulong ticks, out _) ? ticks : null;
    }

    /// <summary>The processes that hold a shared lock by flock(2) on a file of no device, as those in memory are; null: there is no list of locks.</summary>
    public static IEnumerable<int>? LockHolders()
    {
        // "1: FLOCK  ADVISORY  READ  5897 00:01:10453 0 EOF" (proc(5)); one that is waited for has "->" behind the number.
        const int Kind = 1, Access = 3, Holder = 4, File = 5;
        if (Text("/proc/locks") is not { } text)
            return null;
        HashSet<int> holders = [];
        foreach (string line in text.Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is { Length: > File } fields && fields[Kind] == "FLOCK" && fields[Access] == "READ"
                && fields[File].StartsWith("00:", StringComparison.Ordinal) && int.TryParse(fields[Holder], NumberStyles.None, CultureInfo.InvariantCulture, out int id))
                holders.Add(id);
        }
        return holders;
    }

    /// <summary>All processes that this one can see.</summary>
    public static IEnumerable<int> All()
    {
        using SafeFileHandle processes = Directories.Open("/proc");
        foreach ((byte[] name, _) in Directories.List(processes))
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
                yield return id;
        }
    }

    /// <summary>Its children.</summary>
    public static IReadOnlyList<int> Children(int id) =>
        [.. (Text(id, $"task/{id}/children") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(text => int.Parse(text, CultureInfo.InvariantCulture))];

    /// <summary>Its numbers, from our process namespace to its own.</summary>
    public static IReadOnlyList<int> Numbers(int id) =>
        [.. (Status(id, "NSpid:") ?? "").Split(['\t', ' '], StringSplitOptions.RemoveEmptyEntries).Select(text => int.Parse(text, CultureInfo.InvariantCulture))];

    /// <summary>The nearest process below this one that is process 1 of a namespace of its own.</summary>
    public static int? FindProcess1Below(int id)
    {
        foreach (int child in Children(id))
        {
            if (Numbers(child) is [.., 1] numbers && numbers.Count > Numbers(id).Count)
                return child;
            if (FindProcess1Below(child) is { } found)
                return found;
        }
        return null;
    }

    /// <summary>What identifies one of its namespaces, such as "pid:[4026531836]".</summary>
    public static string? Namespace(string id, string kind)
    {
        try
        {
            return PathText.FromBytes(Files.ReadLink(Directories.Current, PathText.ToBytes($"/proc/{id}/ns/{kind}")));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ESRCH or Errno.EACCES)
        {
            return null;
        }
    }

    private static string? Status(int id, string key) =>
        Text(id, "status")?.Split('\n').FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?[key.Length..];

    private static string? Text(int id, string name) => Text(PathOf(id, name));

    private static string PathOf(int id, string name) => $"/proc/{id.ToString(CultureInfo.InvariantCulture)}/{name}";

    private static string? Text(string path) => Bytes(path) is { } bytes ? Encoding.Latin1.GetString(bytes) : null;

    private static byte[]? Bytes(string path)
    {
        try
        {
            return WholeFile.Read(path);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ESRCH)
        {
            return null;
        }
    }
}
