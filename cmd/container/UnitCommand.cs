using System.Globalization;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// A command as a transient unit of the system, by its own systemd-run, and how it really ended. systemd-run gives 255 for every death by a signal,
/// and 0 for some (systemd issue 22812): as a oneshot such a unit fails and stays, and systemd is asked.
/// </summary>
internal sealed class UnitCommand
{
    // CLD_EXITED, CLD_KILLED, CLD_DUMPED (bits/siginfo-consts.h); EXIT_EXEC and EXIT_CHDIR (man systemd.exec)
    private const int Exited = 1, ChdirFailed = 200, ExecFailed = 203;

    private readonly string _name = $"layerbox-{Guid.NewGuid():N}.service";
    private string _program = "", _folder = "";

    public ContainerSpec Wrap(ContainerSpec spec, IReadOnlyList<string> command)
    {
        (_program, _folder) = (command[0], spec.WorkingDirectory);
        List<string> arguments =
        [
            "systemd-run", "--quiet", "--pipe", "--wait", "--service-type=oneshot", $"--unit={_name}", $"--working-directory={spec.WorkingDirectory}",
            $"--uid={Decimal(spec.User.Uid)}", $"--gid={Decimal(spec.User.Gid)}",
            .. (spec.Environment ?? ContainerSpec.DefaultEnvironment(spec.User)).Select(variable => $"--setenv={variable}"),
        ];
        if (spec.User.Groups.Count > 0)
            arguments.Add($"--property=SupplementaryGroups={string.Join(' ', spec.User.Groups.Select(Decimal))}");
        if (spec.NoNewPrivileges)
            arguments.Add("--property=NoNewPrivileges=yes");
        // What the command is given stays as it is: systemd would put variables in.
        arguments.AddRange(["--property=TimeoutStartSec=infinity", "--", command[0], .. command.Skip(1).Select(argument => argument.Replace("$", "$$", StringComparison.Ordinal))]);
        // It stays in the folder, so that one that is not there is told as for any command.
        return spec with { Command = arguments, User = ContainerUser.Root, Environment = ContainerSpec.DefaultEnvironment(ContainerUser.Root) };
    }

    /// <summary>How the command ended, by what systemd says of the unit.</summary>
    /// <param name="result">How systemd-run ended.</param>
    /// <param name="ask">Runs a program in the system and gives what it writes.</param>
    /// <param name="say">Is told why there was no command, unless systemd-run has said so.</param>
    public ContainerResult Judge(ContainerResult result, Func<IReadOnlyList<string>, string> ask, Action<string> say)
    {
        if (result.NotStarted is not null || result.Exit.Status is 0)
            return result;
        Dictionary<string, string> properties = ask(["systemctl", "show", "--property=ExecMainCode,ExecMainStatus", _name])
            .Split('\n').Select(line => line.Split('=', 2)).Where(parts => parts.Length == 2).ToDictionary(parts => parts[0], parts => parts[1]);
        int Number(string name) => int.TryParse(properties.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;
        int status = Number("ExecMainStatus"), code = Number("ExecMainCode");
        // systemd does not tell the two apart.
        if (code == Exited && status is ExecFailed or ChdirFailed)
            say($"{(status == ExecFailed ? $"{_program}: run" : $"{_folder}: chdir")}: systemd could not do so, or the command's own exit status was {Decimal((uint)status)}");
        return code switch
        {
            // Never run: systemd-run said why.
            0 => new ContainerResult(ProcessExit.Exited(ContainerResult.NotFoundStatus)),
            Exited => new ContainerResult(ProcessExit.Exited(status switch { ExecFailed => ContainerResult.NotExecutableStatus, ChdirFailed => ExitStatus.ContainerFailed, _ => status })),
            _ => new ContainerResult(ProcessExit.Killed((Signal)status)),
        };
    }

    /// <summary>What sends a signal to the command.</summary>
    public IReadOnlyList<string> Kill(Signal signal) => ["systemctl", "kill", "--kill-who=main", $"--signal={Decimal((uint)signal)}", _name];

    private static string Decimal(uint number) => number.ToString(CultureInfo.InvariantCulture);
}
