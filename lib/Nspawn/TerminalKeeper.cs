using System.Runtime.InteropServices;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Puts a terminal back in order when this process is gone without having done so, as after SIGKILL: a process of its own, which waits for the
/// end of a pipe whose other end we alone have. Where we did so ourselves it does nothing.
/// </summary>
public sealed class TerminalKeeper : IDisposable
{
    // Nothing but a read stands between it and its end.
    private static readonly TimeSpan EndingTime = TimeSpan.FromSeconds(2);

    private readonly ChildProcess _process;
    private readonly SafeFileHandle _life;

    private TerminalKeeper(ChildProcess process, SafeFileHandle life) => (_process, _life) = (process, life);

    /// <param name="executable">Ours, which calls <see cref="ContainerEntry.TryRun"/> first thing.</param>
    /// <param name="terminal">What is about to be made raw.</param>
    /// <param name="mode">How it was.</param>
    /// <exception cref="PosixException">It cannot be started.</exception>
    public static TerminalKeeper Start(string executable, SafeFileHandle terminal, TerminalMode mode)
    {
        (SafeFileHandle end, SafeFileHandle life) = Pipes.Make();
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        using (end)
        {
            try
            {
                ChildProcess process = ChildProcess.Start(new ProgramStart(executable, ContainerEntry.Keeper, ContainerEntry.Version)
                {
                    Argument0 = "layerbox",
                    Environment = [],
                    // Which also lets it set the mode whoever is in the foreground.
                    OwnSession = true,
                    Input = end,
                    Output = terminal,
                    Error = nothing,
                });
                Files.Write(life, MemoryMarshal.AsBytes(new ReadOnlySpan<TerminalMode>(in mode)), "pipe");
                return new TerminalKeeper(process, life);
            }
            catch
            {
                life.Dispose();
                throw;
            }
        }
    }

    /// <summary>The part of the process that waits.</summary>
    internal static int Run()
    {
        TerminalMode mode = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<TerminalMode>(ref mode));
        FdStream life = FdStream.StandardInput;
        if (life.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
            return 1;
        life.ReadByte();
        SafeFileHandle terminal = FdStream.StandardOutput.Handle;
        // A shell that has it already may have made it its own.
        if (Terminal.Mode(terminal) is { IsRaw: true })
            Terminal.SetMode(terminal, mode);
        return 0;
    }

    public void Dispose()
    {
        _life.Dispose();
        _process.Wait(EndingTime);
        _process.Dispose();
    }
}
