using System.Globalization;
using Layerbox.Nspawn.Cgroups;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A running container as seen by a command that is to be entered into it. The process cannot come to mean another one.</summary>
internal sealed class ContainerTarget : IDisposable
{
    private const int NewUser = 0x1000_0000;

    // linux/sched.h
    private static readonly (string Kind, int Flag)[] Kinds =
    [
        ("mnt", 0x20000), ("cgroup", 0x200_0000), ("uts", 0x400_0000), ("ipc", 0x800_0000), ("user", NewUser), ("pid", 0x2000_0000), ("net", 0x4000_0000),
    ];

    /// <summary>The group of commands that are entered into a system that boots; one for all, made by the first.</summary>
    public const string EnteredGroup = "/entered";

    private readonly ProcessReference _member;

    private ContainerTarget(ProcessReference member, ulong capabilities) => (_member, Capabilities) = (member, capabilities);

    /// <summary>A process in it: see <see cref="MemberOf"/>.</summary>
    public SafeFileHandle Process => _member.Handle;

    /// <summary>What root in it may do, as bits.</summary>
    public ulong Capabilities { get; }

    /// <summary>Those of its namespaces that are not ours as well, as flags of setns(2).</summary>
    public required int Namespaces { get; init; }

    /// <summary>Folders of control groups to join, as the host sees them.</summary>
    public required IReadOnlyList<string> ControlGroups { get; init; }

    /// <summary>Who its users are; null: they are ours.</summary>
    public required UserNamespace? Users { get; init; }

    /// <summary>
    /// A process of the container that this one may look into: its process 1, which is closed to all but root, or its command. The number may
    /// come to mean another process.
    /// </summary>
    /// <exception cref="ContainerException">There is none.</exception>
    public static int MemberOf(ContainerDescription container)
    {
        if (ProcessOwner.EffectiveUid == 0)
            return container.Process1;
        string? own = HostProcess.Namespace("self", "mnt");
        foreach (int child in HostProcess.Children(container.Process1))
        {
            if (HostProcess.Namespace(child.ToString(CultureInfo.InvariantCulture), "mnt") is { } theirs && theirs != own)
                return child;
        }
        throw HostProcess.StartTime(container.Process1) == container.StartTime
            ? new ContainerException($"{container.Name}: no process in it that this user may look into, by which it could be entered")
            : Ended(container);
    }

    /// <exception cref="ContainerException">It has ended.</exception>
    public static ContainerTarget Open(ContainerDescription container)
    {
        int number = MemberOf(container);
        ProcessReference member = ProcessReference.TryOpen(number) ?? throw Ended(container);
        string id = number.ToString(CultureInfo.InvariantCulture);
        try
        {
            // Asked for after the descriptor was opened, so it is the same process, or the same container's.
            if ((number != container.Process1 && !HostProcess.Children(container.Process1).Contains(number)) || HostProcess.StartTime(container.Process1) != container.StartTime)
                throw Ended(container);
            int namespaces = 0;
            foreach ((string kind, int flag) in Kinds)
            {
                if (HostProcess.Namespace(id, kind) is { } theirs && theirs != HostProcess.Namespace("self", kind))
                    namespaces |= flag;
            }
            UserNamespace? users = (namespaces & NewUser) != 0 ? UserNamespace.OfProcess(id) : null;
            return new ContainerTarget(member, container.Capabilities) { Namespaces = namespaces, ControlGroups = CgroupsToJoin(id), Users = users };
        }
        catch
        {
            member.Dispose();
            throw;
        }
    }

    public void Dispose() => _member.Dispose();

    // Those of its process 1 that are not ours already. systemd keeps a group to itself: beside it is one for commands that are entered.
    private static string[] CgroupsToJoin(string id)
    {
        const string OfInit = "/init.scope";
        if (CgroupLayout.AreTheSame("self", id))
            return [];
        HashSet<string> own = [.. CgroupLayout.Own().Select(hierarchy => hierarchy.Folder)];
        return
        [
            .. CgroupLayout.Of(id).Select(hierarchy => hierarchy.Folder).Where(folder => !own.Contains(folder) && MayJoin(folder))
                .Select(folder => folder.EndsWith(OfInit, StringComparison.Ordinal) ? folder[..^OfInit.Length] + EnteredGroup : folder),
        ];
    }

    // A plain user may be in a group that he was put into and may put nobody into himself.
    private static bool MayJoin(string folder)
    {
        if (ProcessOwner.EffectiveUid == 0)
            return true;
        try
        {
            Files.Open($"{folder}/cgroup.procs", OpenFlags.WriteOnly).Dispose();
            return true;
        }
        catch (PosixException e) when (e.Errno is Errno.EACCES or Errno.EPERM or Errno.ENOENT or Errno.EROFS)
        {
            return false;
        }
    }

    private static ContainerException Ended(ContainerDescription container) => new($"{container.Name}: the container has ended");
}
