using System.Globalization;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>What a container can reach over the network.</summary>
public enum ContainerNetwork
{
    /// <summary>Its own loopback and nothing else.</summary>
    None,

    /// <summary>All that the host can reach.</summary>
    Host,
}

/// <summary>A file or folder of the host that is seen inside.</summary>
/// <param name="Source">Where it is on the host; relative paths start at the current folder.</param>
/// <param name="Destination">An absolute path inside; made when it does not exist.</param>
/// <param name="ReadOnly">It cannot be written to from inside.</param>
public sealed record ContainerBind(string Source, string Destination, bool ReadOnly)
{
    /// <summary>When there is no <see cref="Source"/> nothing is bound.</summary>
    public bool IsOptional { get; init; }

    /// <summary>What is mounted below <see cref="Source"/> is seen too, and as read-only as the bind itself.</summary>
    public bool IsRecursive { get; init; } = true;

    /// <summary>
    /// <see cref="Source"/> is a path of the container itself, as it is seen there once all before it is mounted; <see cref="Destination"/> must exist. For a root
    /// within the container, which shall have the same devices and processes. Only the built-in engine can do so.
    /// </summary>
    public bool IsInner { get; init; }

    /// <summary>
    /// With users of the container's own (<see cref="ContainerSpec.UserRange"/>) its files have the owners inside that they have outside, so that root inside may do
    /// with them what root may. Else they are nobody's there. The root itself is shown so always.
    /// </summary>
    public bool KeepsOwners { get; init; }

    /// <summary>It is a device that may be used.</summary>
    internal bool IsDevice { get; init; }

    /// <summary>Device nodes in it are the host's and meant; anywhere else they do nothing.</summary>
    internal bool MayHoldDevices => IsDevice || Path.GetFullPath(Source) is "/dev" or ['/', 'd', 'e', 'v', '/', ..];
}

/// <summary>A command and the container to run it in, whatever engine does that. Strings are in the encoding of <see cref="PathText"/>.</summary>
/// <param name="Root">The folder that is "/" inside.</param>
/// <param name="Command">Program and arguments; a program without "/" is looked for on the PATH of <see cref="Environment"/>.</param>
public sealed record ContainerSpec(string Root, IReadOnlyList<string> Command)
{
    public const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>The same on every host, so that builds do not depend on where they run.</summary>
    public const string DefaultHostName = "layerbox";

    /// <summary>The root is read and never written: changes go to memory and end with the container. Else it is changed in place.</summary>
    public bool Ephemeral { get; init; }

    /// <summary>The whole environment as "NAME=value"; nothing of the host's is added. Null: <see cref="DefaultEnvironment"/>.</summary>
    public IReadOnlyList<string>? Environment { get; init; }

    public ContainerUser User { get; init; } = ContainerUser.Root;

    /// <summary>Where the command starts: an absolute path inside, which must exist.</summary>
    public string WorkingDirectory { get; init; } = "/";

    public string HostName { get; init; } = DefaultHostName;

    /// <summary>What others find the container by (<see cref="ContainerRegistry"/>); null: by an id that is made up.</summary>
    public string? Name { get; init; }

    public ContainerNetwork Network { get; init; } = ContainerNetwork.None;

    public IReadOnlyList<ContainerBind> Binds { get; init; } = [];

    /// <summary>
    /// Absolute paths inside of which the root has something that is seen and can be written to as if it were the container's own: changes go to memory and end with the
    /// container, also where the root is changed in place or read-only. A folder is made where there is nothing.
    /// </summary>
    public IReadOnlyList<string> Overlays { get; init; } = [];

    /// <summary>Absolute paths inside where an empty filesystem in memory is seen. /dev, /run and /tmp always are.</summary>
    public IReadOnlyList<string> Tmpfs { get; init; } = [];

    /// <summary>
    /// Absolute paths inside that show nothing: a folder is empty then, anything else reads like /dev/null. Nothing happens where there is no such path.
    /// </summary>
    public IReadOnlyList<string> Masks { get; init; } = [];

    /// <summary>Absolute paths inside below which nothing can be written. Nothing happens where there is no such path.</summary>
    public IReadOnlyList<string> ReadOnlyPaths { get; init; } = [];

    /// <summary>Device nodes of the host that are seen inside under the same path and may be used.</summary>
    public IReadOnlyList<string> Devices { get; init; } = [];

    /// <summary>Nothing below "/" can be written but binds, overlays, tmpfs, /dev, /run and /tmp.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Lets the command make device nodes.</summary>
    public bool AllowMknod { get; init; }

    /// <summary>Capabilities beyond those of <see cref="ContainerCapabilities.Kept"/>, by their names ("CAP_SYS_ADMIN"), or <see cref="ContainerCapabilities.All"/>.</summary>
    public IReadOnlyList<string> Capabilities { get; init; } = [];

    /// <summary>Capabilities that root inside does not have; <see cref="ContainerCapabilities.All"/> means all but those of <see cref="Capabilities"/>.</summary>
    public IReadOnlyList<string> DroppedCapabilities { get; init; } = [];

    /// <summary>
    /// Capabilities of root inside that the command has although its user is not root, and so do the programs that it executes (capabilities(7), "ambient"). To
    /// root they say nothing, who has all of them.
    /// </summary>
    public IReadOnlyList<string> AmbientCapabilities { get; init; } = [];

    /// <summary>What a process may use (setrlimit(2)). Open files are always limited, see <see cref="ResourceLimit.Names"/>.</summary>
    public IReadOnlyList<ResourceLimit> ResourceLimits { get; init; } = [];

    /// <summary>What all processes of the container together may use. With systemd-nspawn its own processes are among them.</summary>
    public ContainerLimits Limits { get; init; } = ContainerLimits.None;

    /// <summary>How gladly the kernel kills the command when memory runs out, from -1000 to 1000 (proc(5), oom_score_adj); null: as us.</summary>
    public int? OutOfMemoryScore { get; init; }

    /// <summary>The command's file mode creation mask; null: 0022.</summary>
    public uint? Umask { get; init; }

    /// <summary>No program gets more privileges than the command has, whatever setuid bits and file capabilities say.</summary>
    public bool NoNewPrivileges { get; init; }

    /// <summary>Refuses system calls that software in a container has no business with (see <see cref="SeccompFilter"/>).</summary>
    public bool SystemCallFilter { get; init; } = true;

    /// <summary>
    /// What is written need not outlive a crash of the machine: fsync(2) and its like do nothing and succeed. For what is thrown away or synced as a
    /// whole later. Files opened with O_SYNC are written through all the same.
    /// </summary>
    public bool SuppressSync { get; init; }

    /// <summary>
    /// The command starts only when <see cref="RunningContainer.Release"/> says so, so that its signals find whoever passes them on. Only the built-in
    /// engine holds it; the other has started nothing when the caller may have handlers already.
    /// </summary>
    public bool IsHeld { get; init; }

    /// <summary>A terminal of the container's own; null: it has none but what is handed in.</summary>
    public ContainerTerminal? Terminal { get; init; }

    /// <summary>Standard input; when null the terminal, or ours where there is none.</summary>
    public SafeFileHandle? Input { get; init; }

    /// <summary>Standard output; likewise.</summary>
    public SafeFileHandle? Output { get; init; }

    /// <summary>Standard error; likewise.</summary>
    public SafeFileHandle? Error { get; init; }

    /// <summary>
    /// Further descriptors for the command: they are 3, 4, and so on, and its environment says so as sd_listen_fds(3) has it (LISTEN_FDS, LISTEN_PID).
    /// </summary>
    public IReadOnlyList<SafeFileHandle> ForwardedDescriptors { get; init; } = [];

    /// <summary>The command is killed after this time.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>The command is the image's own init, which becomes process 1; null: an ordinary command.</summary>
    internal ContainerBoot? Boot { get; init; }

    /// <summary>The container that the command is to be entered into; null: one of its own.</summary>
    internal ContainerTarget? Target { get; init; }
    /// <summary>Before it is killed it gets SIGTERM and this time to end by itself. Zero: it is killed at once.</summary>
    public TimeSpan KillGrace { get; init; }

    /// <summary>
    /// The users of the container are others outside, without any right of the host's; null: they are those of the host, or where this process is not root, himself.
    /// Only the built-in engine can do so.
    /// </summary>
    public UserRange? UserRange { get; init; }

    /// <summary>Whom an engine maps the users of the container to; null: they are those of the host.</summary>
    internal UserNamespace? Users { get; init; }

    /// <summary>With devices as binds, and without what is optional and not there: what engines work with.</summary>
    /// <exception cref="ContainerException">Something in here cannot be meant.</exception>
    internal ContainerSpec Resolve()
    {
        Validate();
        if (Devices.Count == 0 && !Binds.Any(bind => bind.IsOptional))
            return this;
        return this with
        {
            Binds = [.. Binds.Where(bind => !bind.IsOptional || bind.IsInner || IsThere(bind.Source)), .. Devices.Select(DeviceBind)],
            Devices = [],
        };
    }

    // Whoever has a folder of the host open can go up from it, past the root of the container (CVE-2024-21626).
    private void RefuseFolders()
    {
        (SafeFileHandle? Stream, string Name)[] streams = [(Input, "standard input"), (Output, "standard output"), (Error, "standard error")];
        for (int number = 0; number < streams.Length; number++)
        {
            if (streams[number].Stream is null && Terminal is not null)
                continue;
            using SafeFileHandle own = new(number, ownsHandle: false);
            RefuseFolder(streams[number].Stream ?? own, streams[number].Name);
        }
        for (int i = 0; i < ForwardedDescriptors.Count; i++)
            RefuseFolder(ForwardedDescriptors[i], string.Create(CultureInfo.InvariantCulture, $"descriptor {3 + i} of the command"));
    }

    private static void RefuseFolder(SafeFileHandle descriptor, string name)
    {
        try
        {
            if (Files.Status(descriptor).IsDirectory)
                throw new ContainerException($"{name} is a folder, by which the command could leave the container: bind it instead");
        }
        catch (PosixException e) when (e.Errno == Errno.EBADF)
        {
            // Nothing open leads nowhere.
        }
    }

    private static bool IsThere(string path)
    {
        try
        {
            Files.Status(path, followLinks: true);
            return true;
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            return false;
        }
    }

    private static ContainerBind DeviceBind(string path)
    {
        FileStatus status = Files.Status(path, followLinks: true);
        return status.Type is FileStatus.S_IFCHR or FileStatus.S_IFBLK
            ? new ContainerBind(path, path, ReadOnly: false) { IsDevice = true }
            : throw new ContainerException($"{path}: is no device: bind it instead");
    }

    /// <summary>PATH, the user's HOME, and "container", by which programs recognise where they are.</summary>
    public static IReadOnlyList<string> DefaultEnvironment(ContainerUser user) =>
        [$"PATH={DefaultPath}", $"HOME={user.Home}", "container=layerbox"];

    /// <exception cref="ContainerException">Something in here cannot be meant.</exception>
    public void Validate()
    {
        if (Command is [] or ["", ..])
            throw new ContainerException("no command to run");
        foreach (string inside in (string[])[WorkingDirectory, .. Overlays, .. Tmpfs, .. Binds.Select(bind => bind.Destination), .. Binds.Where(bind => bind.IsInner).Select(bind => bind.Source), .. Devices, .. Masks, .. ReadOnlyPaths])
        {
            if (!inside.StartsWith('/') || inside.Split('/').Contains(".."))
                throw new ContainerException($"'{inside}': a path inside the container has to be absolute and without '..'");
        }
        foreach (string mount in (string[])[.. Overlays, .. Tmpfs, .. Binds.Select(bind => bind.Destination), .. Masks])
        {
            if (mount.Trim('/').Length == 0)
                throw new ContainerException("'/': nothing can be mounted over the root of the container");
        }
        foreach (string variable in Environment ?? [])
        {
            if (variable.IndexOf('=', StringComparison.Ordinal) <= 0)
                throw new ContainerException($"'{variable}': an environment variable has the form NAME=value");
        }
        foreach (string capability in (string[])[.. Capabilities, .. DroppedCapabilities, .. AmbientCapabilities])
        {
            if (capability != ContainerCapabilities.All && ContainerCapabilities.NumberOf(capability) < 0)
                throw new ContainerException($"'{capability}': no such capability; they are called CAP_MKNOD and so on, see capabilities(7)");
            if (Capabilities.Contains(capability) && DroppedCapabilities.Contains(capability))
                throw new ContainerException($"'{capability}': cannot be both given and dropped");
        }
        foreach (ResourceLimit limit in ResourceLimits)
        {
            if (limit.Number < 0)
                throw new ContainerException($"'{limit.Name}': no such resource limit; there are {string.Join(", ", ResourceLimit.Names)}");
            if (limit.Soft > limit.Hard)
                throw new ContainerException($"{limit}: the soft limit is above the hard one");
        }
        RefuseFolders();
        Limits.Validate();
        UserRange?.Validate();
        if (OutOfMemoryScore is < -1000 or > 1000)
            throw new ContainerException($"'{OutOfMemoryScore}': an oom score adjustment is between -1000 and 1000");
        if (Name is not null && !IsHostName(Name))
            throw new ContainerException($"'{Name}': not a name for a container: letters, digits, '-' and '.', at most {HostNameMax}");
        if (!IsHostName(HostName))
            throw new ContainerException($"'{HostName}': not a host name: letters, digits, '-' and '.', at most {HostNameMax}");
    }

    private const int HostNameMax = 64;

    private static bool IsHostName(string name) =>
        name.Length is > 0 and <= HostNameMax && name.Split('.').All(label => label.Length > 0 && label[0] != '-' && label[^1] != '-')
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.');
}
