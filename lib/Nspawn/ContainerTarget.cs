using System.Globalization;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A running container as seen by a command that is to be entered into it. The process cannot come to mean another one.</summary>
internal sealed class ContainerTarget : IDisposable
{
    // linux/sched.h
    private static readonly (string Kind, int Flag)[] Kinds =
    [
        ("mnt", 0x20000), ("cgroup", 0x200_0000), ("uts", 0x400_0000), ("ipc", 0x800_0000), ("user", 0x1000_0000), ("pid", 0x2000_0000), ("net", 0x4000_0000),
    ];

    /// <summary>The group of commands that are entered into a system that boots; one for all, made by the first.</summary>
    public const string EnteredGroup = "/entered";

    private readonly ProcessReference _process1;

    private ContainerTarget(ProcessReference process1, ulong capabilities) => (_process1, Capabilities) = (process1, capabilities);

    /// <summary>Its process 1.</summary>
    public SafeFileHandle Process => _process1.Handle;

    /// <summary>What root in it may do, as bits.</summary>
    public ulong Capabilities { get; }

    /// <summary>Those of its namespaces that are not ours as well, as flags of setns(2).</summary>
    public required int Namespaces { get; init; }

    /// <summary>Folders of control groups to join, as the host sees them.</summary>
    public required IReadOnlyList<string> ControlGroups { get; init; }

    /// <exception cref="ContainerException">It has ended.</exception>
    public static ContainerTarget Open(ContainerDescription container)
    {
        ProcessReference process1 = ProcessReference.TryOpen(container.Process1) ?? throw Ended(container);
        string id = container.Process1.ToString(CultureInfo.InvariantCulture);
        try
        {
            // Asked for after the descriptor was opened, so it is the same process.
            if (HostProcess.StartTime(container.Process1) != container.StartTime)
                throw Ended(container);
            int namespaces = 0;
            foreach ((string kind, int flag) in Kinds)
            {
                if (HostProcess.Namespace(id, kind) is { } theirs && theirs != HostProcess.Namespace("self", kind))
                    namespaces |= flag;
            }
            return new ContainerTarget(process1, container.Capabilities) { Namespaces = namespaces, ControlGroups = CgroupsToJoin(id) };
        }
        catch
        {
            process1.Dispose();
            throw;
        }
    }

    public void Dispose() => _process1.Dispose();

    // Those of its process 1 that are not ours already. systemd keeps a group to itself: beside it is one for commands that are entered.
    private static string[] CgroupsToJoin(string id)
    {
        const string OfInit = "/init.scope";
        HashSet<string> own = [.. CgroupLayout.Own().Select(hierarchy => hierarchy.Folder)];
        return
        [
            .. CgroupLayout.Of(id).Select(hierarchy => hierarchy.Folder).Where(folder => !own.Contains(folder))
                .Select(folder => folder.EndsWith(OfInit, StringComparison.Ordinal) ? folder[..^OfInit.Length] + EnteredGroup : folder),
        ];
    }

    private static ContainerException Ended(ContainerDescription container) => new($"{container.Name}: the container has ended");
}
