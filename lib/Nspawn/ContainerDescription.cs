using System.Globalization;
using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>A running container as others can find it: who it is, and what a command needs that is to be entered into it.</summary>
/// <param name="Id">Eight hexadecimal digits, made up at its start.</param>
/// <param name="Name">What it was called by whoever started it; else the id.</param>
/// <param name="Engine">builtin or nspawn.</param>
/// <param name="IsBooted">Its process 1 is the image's own.</param>
/// <param name="Root">The folder that is "/" inside.</param>
/// <param name="Process1">The number of its process 1 outside.</param>
/// <param name="StartTime">When that started; see <see cref="HostProcess.StartTime"/>.</param>
/// <param name="Capabilities">What root inside may do, as bits (linux/capability.h).</param>
public sealed record ContainerDescription(
    string Id, string Name, string Engine, bool IsBooted, string Root, int Process1, ulong StartTime, ulong Capabilities)
{
    public IReadOnlyList<string> Command { get; init; } = [];

    public IReadOnlyList<string> Environment { get; init; } = [];

    public ContainerUser User { get; init; } = ContainerUser.Root;

    /// <summary>What its <see cref="User"/> may do although he is not root, as bits.</summary>
    public ulong AmbientCapabilities { get; init; }

    public string WorkingDirectory { get; init; } = "/";

    public bool NoNewPrivileges { get; init; }

    public bool SystemCallFilter { get; init; }

    public bool SuppressSync { get; init; }

    /// <summary>The process that runs the container, and with which it ends.</summary>
    public int Tool { get; init; }

    /// <summary>Where this process finds the files of the container, as that sees them.</summary>
    /// <exception cref="ContainerException">Nowhere: it has ended, or is closed to this user.</exception>
    public string SeenRoot() => $"/proc/{Decimal((uint)ContainerTarget.MemberOf(this))}/root";

    private const string Header = "layerbox-container 1";

    // "key=value" each with a NUL behind it: any bytes but NUL, and no library is needed at the start of a container.
    internal byte[] ToBytes()
    {
        List<string> lines =
        [
            Header, $"id={Id}", $"name={Name}", $"engine={Engine}", $"booted={(IsBooted ? 1 : 0)}", $"root={Root}",
            $"process1={Decimal((uint)Process1)}", $"start={Decimal(StartTime)}",
            $"capabilities={Decimal(Capabilities)}", $"ambient={Decimal(AmbientCapabilities)}", $"uid={Decimal(User.Uid)}",
            $"gid={Decimal(User.Gid)}", $"home={User.Home}", $"workdir={WorkingDirectory}",
            $"no-new-privileges={(NoNewPrivileges ? 1 : 0)}", $"filter={(SystemCallFilter ? 1 : 0)}", $"suppress-sync={(SuppressSync ? 1 : 0)}",
            .. User.Groups.Select(group => $"group={Decimal(group)}"),
            .. Command.Select(argument => $"argument={argument}"), .. Environment.Select(variable => $"env={variable}"),
        ];
        return PathText.ToBytes(string.Join('\0', lines) + '\0');
    }

    // A text put together of texts needs no buffer of the pool, which takes a hundredth of a start to make.
    private static string Decimal(ulong number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Null when this is not such a description.</summary>
    internal static ContainerDescription? Parse(ReadOnlySpan<byte> bytes, int tool)
    {
        string[] lines = PathText.FromBytes(bytes).Split('\0');
        if (lines is not [Header, ..])
            return null;
        Groups<string, string> values = lines.Skip(1).Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2).ToGroups(parts => parts[0], parts => parts[1]);
        string One(string key) => values[key].FirstOrDefault() ?? "";
        ulong Number(string key) => ulong.TryParse(One(key), NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : 0;
        return new ContainerDescription(One("id"), One("name"), One("engine"), Number("booted") == 1, One("root"), (int)Number("process1"), Number("start"), Number("capabilities"))
        {
            Command = [.. values["argument"]],
            Environment = [.. values["env"]],
            User = new ContainerUser((uint)Number("uid"), (uint)Number("gid"), [.. values["group"].Select(group => uint.Parse(group, CultureInfo.InvariantCulture))], One("home")),
            AmbientCapabilities = Number("ambient"),
            WorkingDirectory = One("workdir"),
            NoNewPrivileges = Number("no-new-privileges") == 1,
            SystemCallFilter = Number("filter") == 1,
            SuppressSync = Number("suppress-sync") == 1,
            Tool = tool,
        };
    }
}
