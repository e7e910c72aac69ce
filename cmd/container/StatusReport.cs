using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>Tells other programs of a container: the number of its process 1 in a file, and what becomes of it as JSON lines.</summary>
internal sealed class StatusReport : IDisposable
{
    private readonly string? _pidFile, _path;
    private readonly SafeFileHandle? _status;
    private bool _hasPidFile;

    /// <param name="pidFile">Where the number goes, for as long as the container is there; null: nowhere.</param>
    /// <param name="status">The number of a descriptor that we were started with, or a file, which is written anew; null: nothing is told.</param>
    /// <exception cref="UsageException">There is no such descriptor.</exception>
    public StatusReport(string? pidFile, string? status)
    {
        const uint ForEverybody = 0x1A4; // 0644
        _pidFile = pidFile;
        _path = status;
        if (status is null)
            return;
        if (!Module.IsWhole)
            throw new NotInThisModuleException("--json-status");
        _status = int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? CurrentProcess.InheritedDescriptor(number) ?? throw new UsageException($"option '--json-status': you have no descriptor {number} open")
            : Files.Open(status, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, ForEverybody);
    }

    /// <summary>There is something to remove at the end.</summary>
    public bool LeavesSomething => _pidFile is not null;

    public void Made(int id)
    {
        if (_pidFile is not null)
        {
            WholeFile.Write(_pidFile, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}\n")));
            _hasPidFile = true;
        }
        Write(new StatusLine("made") { Pid = id });
    }

    public void Ended(ContainerResult result) => Write(new StatusLine("exited")
    {
        Status = result.Status,
        Signal = result.Exit.Signal is { } signal ? (int)signal : null,
        Oom = result.OutOfMemory ? true : null,
        TimedOut = result.TimedOut ? true : null,
        Error = result.NotStarted?.Message,
    });

    public void Failed(Exception reason) => Write(new StatusLine("failed") { Status = ExitStatus.ContainerFailed, Error = reason.Message });

    public void Dispose()
    {
        _status?.Dispose();
        if (!_hasPidFile)
            return;
        try
        {
            Files.Remove(_pidFile!);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            // Somebody has taken it away.
        }
    }

    private void Write(StatusLine line)
    {
        if (_status is null || !Module.IsWhole)
            return;
        try
        {
            Files.Write(_status, [.. JsonSerializer.SerializeToUtf8Bytes(line, StatusJson.Default.StatusLine), (byte)'\n'], _path!);
        }
        catch (PosixException e) when (e.Errno == Errno.EPIPE)
        {
            // Nobody listens any more: no reason to end the container.
        }
    }
}

/// <summary>One line of --json-status.</summary>
/// <param name="Event">made, exited, or failed.</param>
internal sealed record StatusLine(string Event)
{
    public int? Pid { get; init; }
    public int? Status { get; init; }
    public int? Signal { get; init; }
    public bool? Oom { get; init; }
    public bool? TimedOut { get; init; }
    public string? Error { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(StatusLine))]
internal sealed partial class StatusJson : JsonSerializerContext;
