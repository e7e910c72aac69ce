namespace Layerbox.Posix;

/// <summary>Signals to ourselves.</summary>
public static unsafe class Signals
{
    // sizeof(struct sigaction) of glibc on 64-bit machines; all zero is SIG_DFL with an empty mask.
    private const int SigactionSize = 152;

    private const nint SIG_IGN = 1;

    /// <summary>
    /// Ends this process by the signal's default action, so that whoever waits sees a death by that signal: a shell stops its
    /// loop on SIGINT, and "pipefail" knows SIGPIPE. Returns only when the default action does not end the process.
    /// </summary>
    public static void DieOf(Signal signal)
    {
        SetDefault(signal);
        _ = Libc.raise((int)signal);
    }

    /// <summary>
    /// Stops this process until somebody continues it. The signal goes to this very thread: one for the process would be taken by any other
    /// thread, and this one would go on for a moment.
    /// </summary>
    public static void Stop() => _ = Libc.raise((int)Signal.SIGSTOP);

    /// <summary>Gives a signal its default action, in this process and in the programs that it becomes or starts.</summary>
    internal static void SetDefault(Signal signal)
    {
        byte* byDefault = stackalloc byte[SigactionSize];
        new Span<byte>(byDefault, SigactionSize).Clear();
        PosixException.Check(Libc.sigaction((int)signal, byDefault, null), "sigaction");
    }

    /// <summary>Lets a signal do nothing, in this process and in the programs that it becomes or starts.</summary>
    public static void Ignore(Signal signal)
    {
        byte* ignored = stackalloc byte[SigactionSize];
        new Span<byte>(ignored, SigactionSize).Clear();
        *(nint*)ignored = SIG_IGN;
        PosixException.Check(Libc.sigaction((int)signal, ignored, null), "sigaction");
    }

    internal static bool IsIgnored(Signal signal)
    {
        // The handler is the first member.
        byte* action = stackalloc byte[SigactionSize];
        PosixException.Check(Libc.sigaction((int)signal, null, action), "sigaction");
        return *(nint*)action == SIG_IGN;
    }
}
