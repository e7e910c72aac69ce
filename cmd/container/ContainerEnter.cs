using System.CommandLine;
using System.Globalization;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>container-enter: runs a command in a container that runs already.</summary>
internal static class ContainerEnter
{
    public const string Name = "container-enter";

    public static Tool Declare()
    {
        Argument<string> container = new("CONTAINER") { Description = "Its id or the beginning of that, its name, the number of its process 1, or that of the container-run that runs it." };
        Argument<string[]> command = new("CMD") { Description = "Program and arguments, after a --. Without, on a terminal: a shell.", Arity = ArgumentArity.ZeroOrMore };
        Option<string?> user = new("--user") { Description = "Run as this user of the image, a name or a number, with :GROUP if need be. Else as the container's own command.", HelpName = "USER[:GROUP]" };
        Option<string[]> env = new("--env", "-e") { Description = "Set an environment variable, besides those that the container was started with.", HelpName = "NAME=VALUE" };
        Option<string?> workdir = new("--workdir", "-w") { Description = "Start in this folder of the image. Else where the container's own command did.", HelpName = "DIR" };
        Option<string?> timeout = new("--timeout") { Description = "Kill the command after this time, such as 90s or 10m, with exit status 124.", HelpName = "TIME" };
        TerminalOptions terminal = new();
        Command declared = new(
            Name,
            "Run a command in a container that runs already. It has the environment, user, capabilities and control groups of that, and its exit status is passed on as by container-run. "
            + "When this tool ends, so does the command; what it has started in the background goes on with the container.")
        {
            container, command, user, env, workdir, timeout,
        };
        terminal.AddTo(declared);
        return new Tool(
            declared,
            "container-enter web -- id\ncontainer-enter $(container-list | jq -r .id) --user root --env DEBUG=1 --workdir /srv -- ls",
            (args, io) => Run(
                args.GetRequiredValue(container),
                args.GetValue(command) ?? [],
                new Options(args.GetValue(user), args.GetValue(env) ?? [], args.GetValue(workdir), args.GetValue(timeout) is { } time ? Quantity.Duration(time, "--timeout") : null, terminal.Read(args, args.GetValue(command) ?? [], io)),
                io))
        {
            TroubleStatus = ExitStatus.ContainerFailed,
        };
    }

    private static int Run(string name, string[] command, Options options, Streams io)
    {
        if (name.Length == 0)
            throw new UsageException("CONTAINER is empty");
        if (command.Length == 0 && !options.Terminal.HasTerminal && !options.Terminal.IsShell)
            throw new UsageException("no command given: name one, or say --shell");
        ContainerDescription container = ContainerRegistry.Find(name);
        BuiltinEngine engine = new() { IsOnlyThread = true };
        if (options.Terminal.HasTerminal && !Module.IsWhole)
            throw new NotInThisModuleException("a terminal");
        using TerminalRelay? terminal = Module.IsWhole && options.Terminal.HasTerminal
            ? new TerminalRelay(FdStream.StandardInput.Handle, FdStream.StandardOutput.Handle, engine.Executable)
            : null;
        ContainerSpec spec = Describe(container, command, options) with { IsHeld = true };
        if (terminal is not null)
            spec = spec with { Terminal = terminal.Inside, Error = TerminalChoice.ErrorElsewhere() };
        using RunningContainer running = engine.Enter(container, spec);
        using SignalForwarding forwarding = new(terminal);
        terminal?.To(running);
        running.Release();
        forwarding.To(running);
        ContainerResult result = running.Wait();
        terminal?.Finish();
        return ContainerRun.SayHow(result, Name, io);
    }

    private static ContainerSpec Describe(ContainerDescription container, string[] command, Options options)
    {
        // As the container sees its files now, not as they are in the layer.
        string root = container.SeenRoot();
        ContainerUser user = container.User;
        IReadOnlyList<string> environment = EnvironmentText.Merge(container.Environment, options.Terminal.Environment());
        if (options.User is { } name)
        {
            user = ContainerUser.Find(root, name, container.Name);
            environment = EnvironmentText.Merge(environment, [$"HOME={user.Home}"]);
        }
        if (command.Length == 0)
        {
            // The description has numbers alone.
            ContainerUser known = ContainerUser.Find(root, user.Uid.ToString(CultureInfo.InvariantCulture), container.Name);
            user = user with { Name = known.Name, Shell = known.Shell };
            command = [ShellCommand.Of(root, user)];
            environment = EnvironmentText.Merge(environment, ShellCommand.Environment(container.Name, command[0], user));
        }
        return new ContainerSpec(container.Root, command)
        {
            User = user,
            Environment = EnvironmentText.Merge(environment, options.Environment),
            WorkingDirectory = options.WorkingDirectory ?? container.WorkingDirectory,
            Timeout = options.Timeout,
        };
    }

    private sealed record Options(string? User, IReadOnlyList<string> Environment, string? WorkingDirectory, TimeSpan? Timeout, TerminalChoice Terminal);
}
