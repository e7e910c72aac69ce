using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn.Boot;

/// <summary>How a container is booted: the image's own init is its process 1.</summary>
public sealed record ContainerBoot
{
    /// <summary>Where systemd is, in the order in which it is looked for.</summary>
    public static IReadOnlyList<string> Inits { get; } = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"];

    /// <summary>The init, a path inside; null: the first of <see cref="Inits"/> that is there.</summary>
    public string? Init { get; init; }

    /// <summary>
    /// Arguments of the init. systemd takes what it takes from the kernel's command line elsewhere, such as "systemd.unit=rescue.target" (man
    /// kernel-command-line).
    /// </summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>All of them: nobody is there who could log in at the console.</summary>
    internal IReadOnlyList<string> AllArguments => Init is null ? ["systemd.mask=console-getty.service", .. Arguments] : Arguments;

    /// <summary>Where all that the system writes to its console goes; null: nowhere.</summary>
    public SafeFileHandle? Console { get; init; }

    /// <summary>
    /// What a system that boots has to be able to do beyond a command: mount, make namespaces for its services, and look after all of its processes and its
    /// network. Those that this process does not have itself are left out.
    /// </summary>
    public static IReadOnlyList<string> Capabilities { get; } =
    [
        "CAP_AUDIT_CONTROL", "CAP_DAC_READ_SEARCH", "CAP_IPC_OWNER", "CAP_LEASE", "CAP_LINUX_IMMUTABLE", "CAP_NET_ADMIN", "CAP_NET_BROADCAST",
        "CAP_SYS_ADMIN", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE", "CAP_SYS_TTY_CONFIG",
    ];

    /// <summary>What commands that are entered find, and what others are told of the container.</summary>
    internal ContainerSpec? Commands { get; init; }

    /// <summary>Who listens while the system runs.</summary>
    internal BootListener? Listener { get; init; }

    /// <summary>
    /// Whether an image has one of <see cref="Inits"/>. What is mounted into it may bring one: where something is, it is thought to.
    /// </summary>
    public static bool HasInit(ContainerSpec spec)
    {
        if (spec.Binds.Any(bind => Inits.Any(init => init.StartsWith($"{bind.Destination.TrimEnd('/')}/", StringComparison.Ordinal) || init == bind.Destination)))
            return true;
        using SafeFileHandle root = Directories.Open(spec.Root);
        foreach (string init in Inits)
        {
            using SafeFileHandle? found = Directories.TryOpenInRoot(root, PathText.ToBytes(init), OpenFlags.PathOnly);
            if (found is not null)
                return true;
        }
        return false;
    }

    /// <summary>The description of process 1, where it is started by ourselves.</summary>
    internal ContainerSpec Describe(ContainerSpec spec, BootListener? listener) => spec with
    {
        Boot = this with { Commands = spec, Listener = listener },
        Command = [Init ?? Inits[^1], .. AllArguments],
        User = ContainerUser.Root,
        WorkingDirectory = "/",
        Environment = [$"PATH={ContainerSpec.DefaultPath}", "container=layerbox", $"NOTIFY_SOCKET={BootSteps.NotifySocket}"],
        Capabilities = [.. spec.Capabilities.Union(ContainerCapabilities.NamesOf(ContainerCapabilities.BitsOf(Capabilities)))],
        Timeout = null,
        KillGrace = TimeSpan.Zero,
        Terminal = null,
        IsHeld = false,
        ForwardedDescriptors = [],
        ResourceLimits = [],
        OutOfMemoryScore = null,
        Umask = null,
        Input = Files.Open("/dev/null", OpenFlags.ReadWrite),
        Output = null,
        Error = null,
    };
}
