using Microsoft.Win32.SafeHandles;

namespace Layerbox.Posix;

/// <summary>
/// Signals that are read instead of handled (signalfd(2)): they wait until somebody reads them, and no thread has to be there for them. Only for a process of one
/// thread, whose later ones inherit what is blocked: any other thread would take them with their usual effect.
/// </summary>
public sealed unsafe class SignalReader : IDisposable
{
    private const int SFD_CLOEXEC = 0x80000, SFD_NONBLOCK = 0x800;

    private SignalReader(SafeFileHandle handle) => Handle = handle;

    /// <summary>Readable while there is a signal.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>From now on the calling thread gets these signals from here alone, for as long as it lives. One that is ignored stays so.</summary>
    public static SignalReader Take(ReadOnlySpan<Signal> signals)
    {
        const int SIG_BLOCK = 0, SigsetWords = 16;
        // sigset_t of glibc: there is room for more signals than there are.
        ulong* set = stackalloc ulong[SigsetWords];
        new Span<ulong>(set, SigsetWords).Clear();
        foreach (Signal signal in signals)
        {
            // The kernel keeps a blocked signal even if it is ignored.
            if (!Signals.IsIgnored(signal))
                set[0] |= 1UL << ((int)signal - 1);
        }
        SignalReader reader = new(new SafeFileHandle(PosixException.Check(Libc.signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"), ownsHandle: true));
        _ = Libc.sigprocmask(SIG_BLOCK, set, null);
        return reader;
    }

    /// <summary>The next signal; null: none has come.</summary>
    public Signal? TryRead()
    {
        const int SignalInfoSize = 128;
        // struct signalfd_siginfo starts with the number.
        int* info = stackalloc int[SignalInfoSize / sizeof(int)];
        return Libc.read(Handle, (byte*)info, SignalInfoSize) == SignalInfoSize ? (Signal)info[0] : null;
    }

    public void Dispose() => Handle.Dispose();
}
