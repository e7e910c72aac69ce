using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn.Cgroups;

/// <summary>
/// Whether the kernel killed somebody because a container's limit of memory was reached. Version 2 counts it for the whole tree below the group. Version 1
/// counts it in the victim's own group alone, which a system that boots has made itself, and may have removed since; but it can be asked to tell when the
/// limit of a group is reached (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control").
/// </summary>
/// <param name="folder">The container's group; null: its memory is not limited.</param>
/// <param name="version">Of control groups.</param>
internal sealed class OutOfMemoryWatch(string? folder, int version) : IDisposable
{
    private SafeFileHandle? _event, _file;

    /// <summary>The group is there, and processes of the container may make others below.</summary>
    public void Start()
    {
        if (folder is null || version != 1)
            return;
        try
        {
            _file = Files.Open(Counter, OpenFlags.ReadOnly);
            _event = EventDescriptor.Make();
            using SafeFileHandle control = Files.Open($"{folder}/cgroup.event_control", OpenFlags.WriteOnly);
            Files.Write(control, PathText.ToBytes(string.Create(CultureInfo.InvariantCulture, $"{_event.DangerousGetHandle()} {_file.DangerousGetHandle()}")));
        }
        catch (PosixException)
        {
            // A kernel for real-time work has no such events: the counter is left.
        }
    }

    /// <summary>To be asked before the group is removed, which is an event too.</summary>
    public bool HasKilled()
    {
        if (folder is null)
            return false;
        try
        {
            return (_event is not null && Descriptors.WaitReadable(0, _event) != 0) || SaysThatSomebodyWasKilled(PathText.FromBytes(WholeFile.Read(Counter)));
        }
        catch (PosixException)
        {
            // It was never made: what failed is told otherwise.
            return false;
        }
    }

    public void Dispose()
    {
        _event?.Dispose();
        _file?.Dispose();
    }

    /// <summary>Reads "oom_kill N" of such a file.</summary>
    internal static bool SaysThatSomebodyWasKilled(string text) =>
        text.Split('\n').Any(line => line.StartsWith("oom_kill ", StringComparison.Ordinal) && line != "oom_kill 0");

    private string Counter => $"{folder}/{(version == 1 ? "memory.oom_control" : "memory.events")}";
}
