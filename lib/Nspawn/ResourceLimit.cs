using System.Globalization;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>What one process may use of something (setrlimit(2)), in the units that the kernel has for it: bytes, seconds, counts.</summary>
/// <param name="Name">As the kernel calls it, without RLIMIT_: one of <see cref="Names"/>.</param>
/// <param name="Soft">What holds; the process itself may raise it to <paramref name="Hard"/>.</param>
/// <param name="Hard">What only a process with CAP_SYS_RESOURCE may raise.</param>
public sealed record ResourceLimit(string Name, ulong Soft, ulong Hard)
{
    public const ulong Unlimited = ulong.MaxValue;

    internal const string OpenFilesName = "NOFILE";

    private const string Prefix = "RLIMIT_";

    /// <summary>In the order of their numbers (asm-generic/resource.h).</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", OpenFilesName, "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
    ];

    internal int Number => Names.ToList().IndexOf(Name);

    /// <summary>"NOFILE" from "nofile" or "RLIMIT_NOFILE"; null when there is none of that name.</summary>
    public static string? NameOf(string text)
    {
        string name = text.ToUpperInvariant();
        name = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;
        return Names.Contains(name) ? name : null;
    }

    public override string ToString() => string.Concat([Name, "=", Text(Soft), ":", Text(Hard)]);

    private static string Text(ulong value) => value == Unlimited ? "unlimited" : value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The largest file that this process may write, in bytes.</summary>
    internal static unsafe ulong OwnFileSize
    {
        get
        {
            const int RLIMIT_FSIZE = 1;
            ulong* own = stackalloc ulong[2];
            return Call(prlimit64, 0, RLIMIT_FSIZE, 0, (nint)own) < 0 ? 0 : own[0];
        }
    }

    /// <summary>
    /// How many files a command may have open: what Linux gives its first process and systemd allows, so that builds do not depend on the
    /// shell that starts them; less where we have less ourselves.
    /// </summary>
    internal static unsafe ResourceLimit DefaultOfOpenFiles()
    {
        const int RLIMIT_NOFILE = 7;
        const ulong SoftDefault = 1024, HardDefault = 512 * 1024;
        ulong* own = stackalloc ulong[2];
        ulong hard = Call(prlimit64, 0, RLIMIT_NOFILE, 0, (nint)own) < 0 ? SoftDefault : own[1];
        return new ResourceLimit(OpenFilesName, Math.Min(SoftDefault, hard), Math.Min(HardDefault, hard));
    }
}
