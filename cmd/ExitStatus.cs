using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>Exit statuses that all tools share.</summary>
internal static class ExitStatus
{
    /// <summary>Done; or "yes" from a tool that answers a question.</summary>
    public const int Success = 0;

    /// <summary>"No" from a tool that answers a question (differences found, check failed).</summary>
    public const int No = 1;

    /// <summary>Trouble of any kind, usage included.</summary>
    public const int Trouble = 2;

    /// <summary>container-run: our own failure, as env and chroot have it.</summary>
    public const int ContainerFailed = 125;

    /// <summary>An exception that nobody foresaw: a bug of ours.</summary>
    public const int Internal = 70;

    /// <summary>Killed by a signal, as shells count it.</summary>
    public static int Killed(Signal signal) => 128 + (int)signal;
}
