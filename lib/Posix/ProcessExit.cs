namespace Layerbox.Posix;

/// <summary>How a program ended: by exit with a status, or by a signal.</summary>
public readonly record struct ProcessExit
{
    private ProcessExit(int? status, Signal? signal) => (Status, Signal) = (status, signal);

    /// <summary>0 to 255 when it exited; null when a signal ended it.</summary>
    public int? Status { get; }

    /// <summary>The signal that ended it, if one did.</summary>
    public Signal? Signal { get; }

    public bool Succeeded => Status == 0;

    /// <summary>One number as shells have it: the status, or 128 + signal.</summary>
    public int ShellStatus => Status ?? (128 + (int)Signal!.Value);

    public static ProcessExit Exited(int status) => new(status, null);

    public static ProcessExit Killed(Signal signal) => new(null, signal);

    /// <summary>Decodes what wait(2) stores (WIFEXITED and friends of sys/wait.h).</summary>
    public static ProcessExit FromWaitStatus(int status) =>
        (status & 0x7F) == 0 ? Exited((status >> 8) & 0xFF) : Killed((Signal)(status & 0x7F));

    public override string ToString() => Status is { } status ? $"exit status {status}" : $"killed by {Signal}";
}

/// <summary>A program that we depend on failed; the message has its name, how it ended and the last line it said.</summary>
public sealed class ProgramException(string program, ProcessExit exit, string said)
    : IOException(said.Length == 0 ? $"{program}: {exit}" : $"{program}: {exit}: {said}")
{
    public string Program { get; } = program;
    public ProcessExit Exit { get; } = exit;
}

/// <summary>How a program ended and what it wrote.</summary>
public sealed record ProcessResult(string Program, ProcessExit Exit, byte[] Output, byte[] Errors)
{
    public string OutputText => PathText.FromBytes(Output);
    public string ErrorText => PathText.FromBytes(Errors);

    /// <exception cref="ProgramException">It did not exit with 0.</exception>
    public ProcessResult ThrowIfFailed() => Exit.Succeeded
        ? this
        : throw new ProgramException(Program, Exit, ErrorText.Split('\n').LastOrDefault(line => line.Trim().Length > 0)?.Trim() ?? "");
}
