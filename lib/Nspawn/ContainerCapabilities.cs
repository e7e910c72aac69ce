namespace Layerbox.Nspawn;

/// <summary>What root inside a container may do (capabilities(7)).</summary>
public static class ContainerCapabilities
{
    /// <summary>
    /// What installing and testing software takes: owners, modes, file capabilities, users, low ports, chroot. CAP_MKNOD joins them
    /// when a specification allows device nodes.
    /// </summary>
    public static IReadOnlyList<string> Kept { get; } =
    [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
        "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
    ];

    public const string MakeNodes = "CAP_MKNOD";

    // What systemd-nspawn keeps of its own accord (man systemd-nspawn, --capability=); it wants to be told each one that it shall not.
    private static readonly string[] KeptByNspawn =
    [
        "CAP_AUDIT_CONTROL", "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
        "CAP_IPC_OWNER", "CAP_KILL", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_SYS_BOOT",
        "CAP_SYS_CHROOT", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_SYS_TTY_CONFIG",
    ];

    /// <summary>The capabilities of a container, and those that systemd-nspawn has to be told to drop.</summary>
    internal static (IReadOnlyList<string> Keep, IReadOnlyList<string> Drop) Of(ContainerSpec spec)
    {
        string[] keep = [.. Kept, .. spec.Capabilities, .. spec.AllowMknod ? [MakeNodes] : Array.Empty<string>()];
        return (keep, [.. KeptByNspawn.Except(keep)]);
    }
}
