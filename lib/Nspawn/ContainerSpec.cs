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
public sealed record ContainerBind(string Source, string Destination, bool ReadOnly);

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

    public ContainerNetwork Network { get; init; } = ContainerNetwork.None;

    public IReadOnlyList<ContainerBind> Binds { get; init; } = [];

    /// <summary>Absolute paths inside where an empty filesystem in memory is seen. /dev, /run and /tmp always are.</summary>
    public IReadOnlyList<string> Tmpfs { get; init; } = [];

    /// <summary>Nothing below "/" can be written but binds, tmpfs, /dev, /run and /tmp.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Lets the command make device nodes.</summary>
    public bool AllowMknod { get; init; }

    /// <summary>Capabilities beyond those of <see cref="ContainerCapabilities.Kept"/>, by their names ("CAP_SYS_ADMIN").</summary>
    public IReadOnlyList<string> Capabilities { get; init; } = [];

    /// <summary>No program gets more privileges than the command has, whatever setuid bits and file capabilities say.</summary>
    public bool NoNewPrivileges { get; init; }

    /// <summary>
    /// Refuses system calls that software in a container has no business with (see <see cref="SeccompFilter"/>). Only the built-in engine
    /// can: systemd-nspawn's own filter takes 50 ms to be compiled.
    /// </summary>
    public bool SystemCallFilter { get; init; } = true;

    /// <summary>Standard input; ours when null.</summary>
    public SafeFileHandle? Input { get; init; }

    /// <summary>Standard output; ours when null.</summary>
    public SafeFileHandle? Output { get; init; }

    /// <summary>Standard error; ours when null.</summary>
    public SafeFileHandle? Error { get; init; }

    /// <summary>The command is killed after this time.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>PATH, the user's HOME, and "container", by which programs recognise where they are.</summary>
    public static IReadOnlyList<string> DefaultEnvironment(ContainerUser user) =>
        [$"PATH={DefaultPath}", $"HOME={user.Home}", "container=layerbox"];

    /// <exception cref="ContainerException">Something in here cannot be meant.</exception>
    public void Validate()
    {
        if (Command is [] or ["", ..])
            throw new ContainerException("no command to run");
        foreach (string inside in (string[])[WorkingDirectory, .. Tmpfs, .. Binds.Select(bind => bind.Destination)])
        {
            if (!inside.StartsWith('/') || inside.Split('/').Contains(".."))
                throw new ContainerException($"'{inside}': a path inside the container has to be absolute and without '..'");
        }
        foreach (string mount in (string[])[.. Tmpfs, .. Binds.Select(bind => bind.Destination)])
        {
            if (mount.Trim('/').Length == 0)
                throw new ContainerException("'/': nothing can be mounted over the root of the container");
        }
        foreach (string variable in Environment ?? [])
        {
            if (variable.IndexOf('=', StringComparison.Ordinal) <= 0)
                throw new ContainerException($"'{variable}': an environment variable has the form NAME=value");
        }
        foreach (string capability in Capabilities)
        {
            if (ContainerCapabilities.NumberOf(capability) < 0)
                throw new ContainerException($"'{capability}': no such capability; they are called CAP_MKNOD and so on, see capabilities(7)");
        }
        if (!IsHostName(HostName))
            throw new ContainerException($"'{HostName}': not a host name: letters, digits, '-' and '.', at most {HostNameMax}");
    }

    private const int HostNameMax = 64;

    private static bool IsHostName(string name) =>
        name.Length is > 0 and <= HostNameMax && name.Split('.').All(label => label.Length > 0 && label[0] != '-' && label[^1] != '-')
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.');
}
