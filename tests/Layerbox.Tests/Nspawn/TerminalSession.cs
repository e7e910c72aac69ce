using System.Diagnostics;
using System.Globalization;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>A program on a real terminal of which this is the person: types, reads, looks at the mode. Kills the program when disposed.</summary>
internal sealed class TerminalSession : IDisposable
{
    private static readonly TerminalSize Size = new(30, 100);

    private readonly SafeFileHandle _master, _slave;
    private readonly MemoryStream _seen = new();
    private Thread? _reader;
    private volatile bool _isOver;
    private int _found;

    private TerminalSession(ProgramStart start, bool reads)
    {
        (_master, _slave) = Terminal.Open();
        Terminal.SetSize(_master, Size);
        Cooked = Terminal.Mode(_slave)!.Value;
        // Becomes the program itself, being the leader of no process group.
        Process = ChildProcess.Start(start with { Program = "setsid", Arguments = ["--ctty", start.Program, .. start.Arguments], Input = _slave, Output = _slave, Error = _slave });
        if (reads)
            Read();
    }

    /// <summary>How the terminal was before.</summary>
    public TerminalMode Cooked { get; }

    public TerminalMode Mode => Terminal.Mode(_slave)!.Value;

    public ChildProcess Process { get; }

    /// <summary>Runs container-run with its three standard streams on the terminal.</summary>
    public static TerminalSession OfTool(params string[] arguments) => Of(new ProgramStart(Published.OrSkip(), ["container-run", .. arguments]) { Environment = ["TERM=xterm", "SECRET=x"] });

    public static TerminalSession Of(ProgramStart start, bool reads = true) => new(start, reads);

    /// <summary>All that was written so far.</summary>
    public byte[] Seen
    {
        get
        {
            lock (_seen)
                return _seen.ToArray();
        }
    }

    public void Read()
    {
        _reader = new Thread(() =>
        {
            byte[] buffer = new byte[64 * 1024];
            try
            {
                while (!_isOver)
                {
                    // A read that waits would keep the terminal from being closed.
                    if (Descriptors.WaitReadable(100, _master) == 0)
                        continue;
                    int length = Files.Read(_master, buffer);
                    lock (_seen)
                    {
                        _seen.Write(buffer, 0, length);
                        Monitor.PulseAll(_seen);
                    }
                }
            }
            catch (Exception e) when (e is PosixException or ObjectDisposedException)
            {
                // Everybody has closed the other end.
            }
        })
        { IsBackground = true };
        _reader.Start();
    }

    public void Type(string keys) => Files.Write(_master, Encoding.Latin1.GetBytes(keys), "terminal");

    public void Resize(TerminalSize size) => Terminal.SetSize(_master, size);

    /// <summary>Waits for a text after the last one that was waited for; returns what stood before it.</summary>
    public string Await(string text)
    {
        Stopwatch waited = Stopwatch.StartNew();
        lock (_seen)
        {
            while (true)
            {
                string rest = Encoding.Latin1.GetString(_seen.ToArray())[_found..];
                int at = rest.IndexOf(text, StringComparison.Ordinal);
                if (at >= 0)
                {
                    _found += at + text.Length;
                    return rest[..at];
                }
                Assert.True(waited.Elapsed < Patience.Limit && Monitor.Wait(_seen, Patience.Limit - waited.Elapsed), $"waited for '{text}', saw '{rest}'");
            }
        }
    }

    /// <summary>Waits until so many bytes were written.</summary>
    public void AwaitSeen(int length) => Patience.Until(() => Seen.Length >= length, $"{length} bytes");

    /// <summary>Waits until the terminal is in a mode.</summary>
    public void AwaitMode(bool raw) => Patience.Until(() => Mode.IsRaw == raw, $"raw: {raw}");

    /// <summary>Waits until the program has to wait itself, to write what nobody reads.</summary>
    public void AwaitFull() => Patience.Until(
        () => System.IO.Directory.EnumerateDirectories($"/proc/{Process.Id}/task").Any(IsWriting), "a full terminal");

    private static bool IsWriting(string thread)
    {
        try
        {
            return System.IO.File.ReadAllText($"{thread}/syscall").StartsWith("1 0x1 ", StringComparison.Ordinal);
        }
        catch (System.IO.IOException)
        {
            return false; // it has ended
        }
    }

    /// <summary>Waits for the end of the program and for all that it wrote; returns its status as a shell gives it.</summary>
    public int End()
    {
        ProcessExit exit = Process.Wait(Patience.Limit) ?? throw new TimeoutException($"still runs; saw '{Encoding.Latin1.GetString(Seen)}'");
        return exit.ShellStatus;
    }

    /// <summary>The letter of proc_pid_stat(5).</summary>
    public char State => System.IO.File.ReadAllText($"/proc/{Process.Id}/stat").Split(") ")[1][0];

    /// <summary>Time that the program's processor has spent so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            const int TicksPerSecond = 100;
            string[] fields = System.IO.File.ReadAllText($"/proc/{Process.Id}/stat").Split(") ")[1].Split(' ');
            return TimeSpan.FromSeconds((double)(int.Parse(fields[11], CultureInfo.InvariantCulture) + int.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond);
        }
    }

    /// <summary>The person goes away.</summary>
    public void HangUp()
    {
        _isOver = true;
        _reader?.Join();
        _slave.Dispose();
        _master.Dispose();
    }

    public void Dispose()
    {
        Process.Kill(Signal.SIGKILL);
        Process.Wait();
        Process.Dispose();
        HangUp();
    }
}
