using System.Collections;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>What a program is started with. Strings are in the encoding of <see cref="PathText"/>.</summary>
/// <param name="Program">A path, or a name without "/" that is looked for on PATH.</param>
/// <param name="Arguments">The arguments after argv[0].</param>
public sealed record ProgramStart(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>What the program sees as argv[0]; its own name when null.</summary>
    public string? Argument0 { get; init; }

    /// <summary>The whole environment as "NAME=value"; our own when null.</summary>
    public IReadOnlyList<string>? Environment { get; init; }

    /// <summary>The folder it starts in; ours when null.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Standard input; ours when null.</summary>
    public SafeFileHandle? Input { get; init; }

    /// <summary>Standard output; ours when null.</summary>
    public SafeFileHandle? Output { get; init; }

    /// <summary>Standard error; ours when null.</summary>
    public SafeFileHandle? Error { get; init; }

    /// <summary>
    /// In a session of its own from the start: no key of a terminal, no end of one and no signal to our process group means it. Else it stays in ours.
    /// </summary>
    public bool OwnSession { get; init; }

    /// <summary>Handed over as descriptors 3, 4, and so on. Nothing else above 2 is open in the program.</summary>
    public IReadOnlyList<SafeFileHandle> Inherited { get; init; } = [];

    /// <summary>Our environment as "NAME=value", sorted, with the bytes that .NET would replace.</summary>
    public static List<string> InheritedEnvironment()
    {
        SortedDictionary<string, string> variables = new(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        if (!variables.Any(v => v.Key.Contains('\uFFFD') || v.Value.Contains('\uFFFD')))
            return [.. variables.Select(v => $"{v.Key}={v.Value}")];
        // .NET decoded something that is not UTF-8 with loss; what the kernel handed us still has it.
        using SafeFileHandle file = Files.Open("/proc/self/environ", OpenFlags.ReadOnly);
        using FdStream stream = new(file, "/proc/self/environ", canWrite: false);
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        return [.. PathText.FromBytes(bytes.ToArray()).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
    }

    /// <summary>Where a program is: its path when it has a "/", else the first executable file of that name on PATH.</summary>
    /// <exception cref="PosixException">ENOENT: there is none. The caller knows which package would bring it.</exception>
    public static string Find(string program) =>
        TryFind(program) ?? throw new PosixException("find program", Errno.ENOENT, program);

    /// <inheritdoc cref="Find"/>
    public static string? TryFind(string program)
    {
        if (program.Contains('/'))
            return program;
        // Programs for root live in sbin, which is not on every user's PATH.
        string path = $"{System.Environment.GetEnvironmentVariable("PATH")}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
        foreach (string folder in path.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string candidate = $"{folder}/{program}";
            if (WhyNotExecutable(candidate) is null)
                return candidate;
        }
        return null;
    }

    /// <summary>Null when the path is a regular file that we may execute; else why it is not.</summary>
    public static unsafe Errno? WhyNotExecutable(string path)
    {
        const int X_OK = 1;
        fixed (byte* p = new CString(PathText.ToBytes(path), stackalloc byte[CString.Inline]))
        {
            if (Libc.faccessat(Directories.Current, p, X_OK, 0) < 0)
                return PosixException.Last;
        }
        return Files.Status(path, followLinks: true).IsRegular ? null : Errno.EACCES;
    }
}
