using System.CommandLine;
using System.CommandLine.Parsing;
using Layerbox.Layer;
using Layerbox.Nspawn;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>container-run: runs a command in a layer and passes its exit status on.</summary>
internal static class ContainerRun
{
    public const string Name = "container-run";

    public const string Nspawn = "nspawn";

    private const int Killed = 128 + (int)Signal.SIGKILL;

    private const string NoNetwork = "none", HostNetwork = "host";
    private const string Builtin = "builtin", Default = "default", NoFilter = "none";

    public static Tool Declare()
    {
        Argument<string?> handle = new("HANDLE") { Description = "A layer handle, - for one on standard input, or a folder with a system in it.", Arity = ArgumentArity.ZeroOrOne };
        Argument<string[]> command = new("CMD")
        {
            Description = "Program and arguments, after a --. Without: what the layer's config says; where that says nothing, on a terminal, a shell as with --shell.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string?> user = new("--user") { Description = "Run as this user of the image: a name or a number, with :GROUP if need be.", HelpName = "USER[:GROUP]" };
        Option<string[]> env = new("--env", "-e") { Description = "Set an environment variable. Nothing of your own environment gets in.", HelpName = "NAME=VALUE" };
        Option<string?> workdir = new("--workdir", "-w") { Description = "Start in this folder of the image.", HelpName = "DIR" };
        Option<string> hostname = new("--hostname") { Description = "What the container calls itself.", DefaultValueFactory = _ => ContainerSpec.DefaultHostName, HelpName = "NAME" };
        Option<string?> name = new("--name") { Description = "What container-list and container-enter call it. Else it has an id that is made up.", HelpName = "NAME" };
        Option<string[]> bind = new("--bind")
        {
            Description = "Show a file or folder of this machine inside. :ro forbids to write to it, :try leaves it out when there is no SRC, :norec leaves out what is mounted below it, :idmap keeps owners with --user-namespace. A colon in a path is written \\:.",
            HelpName = "SRC:DST[:OPT]",
        };
        Option<string[]> tmpfs = new("--tmpfs") { Description = "Show an empty filesystem in memory here.", HelpName = "PATH" };
        Option<string[]> overlay = new("--overlay")
        {
            Description = "Keep what is changed in this folder or file of the image in memory only. For --in-place, --snapshot, --keep and --read-only.",
            HelpName = "PATH",
        };
        Option<string> network = new("--network") { Description = "none: only its own loopback; host: all that this machine reaches.", DefaultValueFactory = _ => NoNetwork };
        network.AcceptOnlyFromAmong(NoNetwork, HostNetwork);
        LimitOptions limits = new();
        TerminalOptions terminal = new();
        Option<bool> noNewPrivileges = new("--no-new-privileges") { Description = "No setuid program inside gives more privileges than the command has." };
        Option<string> seccomp = new("--seccomp") { Description = "The filter that refuses system calls such as bpf and keyctl; none: every call that capabilities allow.", DefaultValueFactory = _ => Default };
        seccomp.AcceptOnlyFromAmong(Default, NoFilter);
        Option<bool> suppressSync = new("--suppress-sync") { Description = "fsync and its like do nothing inside: faster, for what need not outlive a crash of the machine." };
        Option<bool> inPlace = new("--in-place") { Description = "Work in the folder itself and keep what the command changes. A compiled layer never changes: this is refused there." };
        Option<bool> snapshot = new("--snapshot") { Description = "Keep changes in a btrfs snapshot until the command ends, instead of in memory: for commands that write more than fits there." };
        Option<string?> keep = new("--keep") { Description = "Work in a btrfs snapshot that is made here, on the filesystem of the layer, and stays.", HelpName = "DIR" };
        Option<bool> readOnly = new("--read-only") { Description = "The command can write to /dev, /run, /tmp, binds, overlays and tmpfs only." };
        Option<string?> timeout = new("--timeout") { Description = "Kill the command after this time, such as 90s or 10m, with exit status 124.", HelpName = "TIME" };
        Option<bool> dieWithParent = new("--die-with-parent") { Description = "Kill the container when the process ends that started container-run, however that happens." };
        Option<string?> bundle = new("--bundle") { Description = "Run this OCI bundle instead of a HANDLE: its config.json says all about the container, and CMD replaces its args.", HelpName = "DIR" };
        Option<bool> plan = new("--plan") { Description = "Print the whole description of the container as JSON and run nothing." };
        Option<string?> pidFile = new("--pid-file") { Description = "Keep the number of the container's first process, as it is outside, in this file for as long as it runs.", HelpName = "FILE" };
        Option<string?> jsonStatus = new("--json-status") { Description = "Write what becomes of the container as JSON lines to this descriptor or file.", HelpName = "FD|FILE" };
        Option<string> engine = new("--engine") { Description = "What makes the container: layerbox itself, or systemd-nspawn.", DefaultValueFactory = _ => Builtin };
        engine.AcceptOnlyFromAmong(Builtin, Nspawn);
        Option<string?> volume = new("--volume") { Description = "The btrfs folder that layers live on; else $LAYERBOX_VOLUME, a .layerbox folder above, or the volume in the cache.", HelpName = "DIR" };
        BootOptions boot = new();
        Option<string[]> hostMounts = new("--allow-host-mount") { Description = "A path of this machine that a folder may have mounted, where it says that it wants so. A layer's were allowed when it was made.", HelpName = "PATH" };
        Command declared = new(
            Name,
            "Run a command in a container made from a layer. What it changes is in memory and gone afterwards, it has no network, and its exit status is passed on: "
            + "128 + N when signal N ended it, 127 when it is not found, 126 when it cannot be executed, 124 when it took too long, 125 when the container failed.")
        {
            handle, command, user, env, workdir, hostname, name, bind, tmpfs, overlay, network, noNewPrivileges, seccomp, suppressSync,
            inPlace, snapshot, keep, readOnly, timeout, dieWithParent, engine, volume, pidFile, jsonStatus, plan, bundle, hostMounts,
        };
        limits.AddTo(declared);
        terminal.AddTo(declared);
        foreach (Option option in boot.All)
            declared.Add(option);
        return new Tool(
            declared,
            "container-run web.layer -- /usr/bin/web --self-test\ncontainer-run web.layer --shell\nlayer-compile web.layer.json | container-run - --user web --env PORT=80 -- id",
            (args, io) => Run(
                new Request(args.GetValue(handle), args.GetValue(command) ?? [])
                {
                    User = args.GetValue(user),
                    Environment = args.GetValue(env) ?? [],
                    WorkingDirectory = args.GetValue(workdir),
                    HostName = args.GetRequiredValue(hostname),
                    Name = args.GetValue(name),
                    Binds = [.. (args.GetValue(bind) ?? []).Select(BindText.Parse)],
                    Tmpfs = args.GetValue(tmpfs) ?? [],
                    Overlays = args.GetValue(overlay) ?? [],
                    Network = args.GetValue(network) == HostNetwork ? ContainerNetwork.Host : ContainerNetwork.None,
                    NoNewPrivileges = args.GetValue(noNewPrivileges),
                    SystemCallFilter = args.GetValue(seccomp) == Default,
                    SuppressSync = args.GetValue(suppressSync),
                    Mode = ModeOf(args.GetValue(inPlace), args.GetValue(snapshot), args.GetFilled(keep) is not null),
                    Keep = args.GetFilled(keep),
                    ReadOnly = args.GetValue(readOnly),
                    Timeout = args.GetValue(timeout) is { } time ? Quantity.Duration(time, "--timeout") : null,
                    DiesWithParent = args.GetValue(dieWithParent),
                    IsBuiltin = args.GetValue(engine) == Builtin,
                    Volume = args.GetFilled(volume),
                    HostMounts = args.GetValue(hostMounts) ?? [],
                    Limit = limits.Read(args),
                    Terminal = terminal.Read(args, args.GetValue(command) ?? [], io),
                    Bundle = BundleOf(args, bundle, [bundle, name, inPlace, seccomp, suppressSync, timeout, dieWithParent, engine, pidFile, jsonStatus, plan, .. limits.OfBundle]),
                    IsPlan = args.GetValue(plan),
                    PidFile = args.GetFilled(pidFile),
                    JsonStatus = args.GetFilled(jsonStatus),
                    Boot = boot.Of(args),
                },
                io))
        {
            TroubleStatus = ExitStatus.ContainerFailed,
        };
    }

    // Beside a bundle only what does not describe the container.
    private static string? BundleOf(ParseResult args, Option<string?> bundle, IReadOnlyList<Option> allowed)
    {
        if (args.GetFilled(bundle) is { } folder)
        {
            OptionResult? other = args.CommandResult.Children.OfType<OptionResult>().FirstOrDefault(result => !result.Implicit && !result.Option.Hidden && !allowed.Contains(result.Option));
            return other is null ? folder : throw new UsageException($"--bundle: {other.Option.Name} is for config.json to say");
        }
        return null;
    }

    private static RootMode ModeOf(bool inPlace, bool snapshot, bool keep) => (inPlace, snapshot, keep) switch
    {
        (false, false, false) => RootMode.Memory,
        (true, false, false) => RootMode.InPlace,
        (false, true, false) => RootMode.Snapshot,
        (false, false, true) => RootMode.Keep,
        _ => throw new UsageException("--in-place, --snapshot and --keep: one of the three"),
    };

    private static int Run(Request request, Streams io)
    {
        if (request.IsPlan)
            return Plan(request.WithBundle(), io);
        using StatusReport report = new(request.PidFile, request.JsonStatus);
        try
        {
            ContainerResult result = Run(request.WithBundle(), report, io);
            report.Ended(result);
            return result.Status;
        }
        catch (Exception e)
        {
            report.Failed(e);
            throw;
        }
    }

    private static ContainerResult Run(Request request, StatusReport report, Streams io)
    {
        // Where nothing has to be cleaned up, a signal that comes before there is a command may end us, and the engine finds no other thread
        // than this one. Handlers of signals run on one of their own.
        ParentWatch? parent = request.DiesWithParent ? new ParentWatch() : null;
        bool leavesNothing = request.IsBuiltin && request.Mode == RootMode.Memory && request.Boot is null && !report.LeavesSomething;
        // A handle on standard input was read to its end.
        using SafeFileHandle? input = request.Bundle is null && request.Handle == "-" ? Files.Open("/dev/null", OpenFlags.ReadOnly) : null;
        // Somebody sits there, to whom a start is short in any case.
        if (request.Terminal.HasTerminal && !Module.IsWhole)
            throw new NotInThisModuleException("a terminal");
        using TerminalRelay? terminal = Module.IsWhole && request.Terminal.HasTerminal
            ? new TerminalRelay(input ?? FdStream.StandardInput.Handle, FdStream.StandardOutput.Handle, new BuiltinEngine().Executable)
            : null;
        using SignalForwarding? early = leavesNothing ? null : new SignalForwarding(terminal);
        using ContainerSource? source = Open(request, request.Mode, io);
        ContainerEngine engine = new BuiltinEngine { IsOnlyThread = early is null or { IsWithoutThread: true } };
        if (!request.IsBuiltin)
        {
            if (!Module.IsWhole)
                throw new NotInThisModuleException("--engine");
            engine = new NspawnEngine();
        }
        ContainerSpec spec = Describe(request, source);
        spec = terminal is null ? spec with { Input = input } : spec with { Terminal = terminal.Inside, Error = TerminalChoice.ErrorElsewhere() };
        using SafeFileHandle? console = request.Boot is null ? null : BootOptions.OpenConsole(request.Boot);
        using RunningContainer container = request.Boot is null ? engine.Start(spec with { IsHeld = leavesNothing }) : Boot(engine, spec, request, console, io);
        source?.Used();
        // Handlers of signals run on threads, so they come after the clone; whatever comes before them finds no command yet.
        using SignalForwarding? late = leavesNothing ? new SignalForwarding(terminal) : null;
        terminal?.To(container);
        // First: a signal that came meanwhile would be taken for the release.
        container.Release();
        (early ?? late)!.To(container);
        parent?.Over(container);
        container.Made = report.Made;
        ContainerResult result = container.Wait();
        terminal?.Finish();
        SayHow(result, Name, io, spec.Limits.Memory);
        return result;
    }

    private static BootSession Boot(ContainerEngine engine, ContainerSpec spec, Request request, SafeFileHandle? console, Streams io)
    {
        if (!Module.IsWhole)
            throw new NotInThisModuleException("--boot");
        BootRequest boot = request.Boot!;
        if (spec.Command is ["", ..])
            throw new ContainerException("no command to run");
        // Who is not root is told that first.
        if (boot.Init is null && ProcessOwner.EffectiveUid == 0 && !ContainerBoot.HasInit(spec))
            throw new ContainerException($"{spec.Root}: nothing to boot: there is none of {string.Join(", ", ContainerBoot.Inits)}: install systemd, or name another init with --init");
        BootedContainer system = engine.Boot(spec, new ContainerBoot { Init = boot.Init, Arguments = boot.InitArguments, Console = console });
        return new BootSession(system, boot with { Time = spec.Timeout, Grace = spec.KillGrace }, spec.Command, StopOf(request), io);
    }

    // What is kept is left in order.
    private static BootStop StopOf(Request request) => request.Boot!.Stop ?? (request.Mode is RootMode.InPlace or RootMode.Keep ? BootStop.Clean : BootStop.Fast);

    /// <summary>Says why there was no command, or that it was killed, and gives the exit status.</summary>
    public static int SayHow(ContainerResult result, string tool, Streams io, long? memoryLimit = null)
    {
        if (result.NotStarted is { } reason)
            io.Err.WriteLine(PathText.Printable($"{tool}: {reason.Message}"));
        if (result.TimedOut)
            io.Err.WriteLine($"{tool}: killed: its time is up");
        if (result.OutOfMemory)
        {
            string what = result.Status == Killed ? "killed: out of memory" : "out of memory: something inside was killed";
            io.Err.WriteLine($"{tool}: {what} (limit {LimitOptions.Size(memoryLimit ?? 0)})");
        }
        return result.Status;
    }

    private static int Plan(Request request, Streams io)
    {
        if (!Module.IsWhole)
            throw new NotInThisModuleException("--plan");
        // A snapshot is a change, of which the description does not depend.
        using ContainerSource? source = Open(request, request.Mode is RootMode.Snapshot or RootMode.Keep ? RootMode.Memory : request.Mode, io);
        ContainerEngine engine = request.IsBuiltin ? new BuiltinEngine() : new NspawnEngine();
        ContainerSpec spec = Describe(request, source);
        if (request.Terminal.HasTerminal)
            spec = spec with { Terminal = new ContainerTerminal(ContainerTerminal.DefaultSize, _ => { }) };
        string changes = request.Mode switch { RootMode.Memory => "memory", RootMode.Snapshot => "snapshot", RootMode.Keep => "keep", _ => "in_place" };
        ContainerOutline outline = request.Boot is { } boot ? engine.Outline(spec, new ContainerBoot { Init = boot.Init, Arguments = boot.InitArguments }) : engine.Outline(spec);
        PlanWishes wishes = new(request.IsBuiltin ? Builtin : Nspawn, changes, request.Keep, request.DiesWithParent, request.Boot is { } asked ? asked with { Stop = StopOf(request) } : null);
        ContainerPlanJson.Write(spec, wishes, outline, io.Out);
        return ExitStatus.Success;
    }

    private static ContainerSource? Open(Request request, RootMode mode, Streams io) =>
        request.Bundle is null ? ContainerSource.Open(request.Handle, request.Volume, mode, request.Keep, request.HostMounts, io) : null;

    private static ContainerSpec Describe(Request request, ContainerSource? source) => source is null ? DescribeBundle(request) : DescribeImage(request, source);

    private static ContainerSpec DescribeBundle(Request request)
    {
        ContainerSpec spec = request.BundleSpec!, given = request.Limit(spec);
        return spec with
        {
            Command = request.BundleCommand.Count > 0 ? request.BundleCommand : spec.Command,
            Name = request.Name,
            Ephemeral = request.Mode == RootMode.Memory,
            SystemCallFilter = request.SystemCallFilter,
            SuppressSync = request.SuppressSync,
            Timeout = request.Timeout,
            KillGrace = given.KillGrace,
            ForwardedDescriptors = given.ForwardedDescriptors,
        };
    }

    private static ContainerSpec DescribeImage(Request request, ContainerSource source)
    {
        RunConfig config = source.Config;
        ContainerUser user = (request.User ?? config.User) is { } name ? ContainerUser.Find(source.Root, name) : ContainerUser.Root;
        IReadOnlyList<string> command = request.Boot is null ? Command(request, config) : request.Command, shell = [];
        if (command.Count == 0 && (request.Boot is null || request.Terminal.HasTerminal || request.Terminal.IsShell))
        {
            user = user == ContainerUser.Root ? ContainerUser.Find(source.Root, "root") : user;
            command = [ShellCommand.Of(source.Root, user)];
            shell = ShellCommand.Environment(request.Handle, command[0], user);
        }
        return request.Limit(new ContainerSpec(source.Root, command)
        {
            Ephemeral = request.Mode == RootMode.Memory,
            User = user,
            Environment = EnvironmentText.Merge(ContainerSpec.DefaultEnvironment(user), request.Terminal.Environment(), shell, (config.Env ?? []).Select(v => $"{v.Key}={v.Value}"), request.Environment),
            WorkingDirectory = request.WorkingDirectory ?? config.WorkingDir ?? "/",
            HostName = request.HostName,
            Name = request.Name,
            Network = request.Network,
            Binds = [.. source.Binds, .. request.Binds],
            Tmpfs = request.Tmpfs,
            Overlays = request.Overlays,
            NoNewPrivileges = request.NoNewPrivileges,
            SystemCallFilter = request.SystemCallFilter,
            SuppressSync = request.SuppressSync,
            ReadOnly = request.ReadOnly,
            Timeout = request.Timeout,
        });
    }

    // Empty: a shell.
    private static IReadOnlyList<string> Command(Request request, RunConfig config)
    {
        if (request.Command.Count > 0 || request.Terminal.IsShell)
            return request.Command;
        string[] configured = [.. config.Entrypoint ?? [], .. config.Cmd ?? []];
        return configured.Length > 0 || request.Terminal.HasTerminal
            ? configured
            : throw new UsageException("no command given, and the layer's config has none: name one, or say --shell");
    }

    // The values that no options mean.
    private sealed record Request(string? GivenHandle, IReadOnlyList<string> Command)
    {
        public string? User { get; init; }
        public IReadOnlyList<string> Environment { get; init; } = [];
        public string? WorkingDirectory { get; init; }
        public string HostName { get; init; } = ContainerSpec.DefaultHostName;
        public string? Name { get; init; }
        public IReadOnlyList<ContainerBind> Binds { get; init; } = [];
        public IReadOnlyList<string> Tmpfs { get; init; } = [];
        public IReadOnlyList<string> Overlays { get; init; } = [];
        public ContainerNetwork Network { get; init; } = ContainerNetwork.None;
        public IReadOnlyList<string> HostMounts { get; init; } = [];
        public string? Bundle { get; init; }
        public bool IsPlan { get; init; }

        public ContainerSpec? BundleSpec { get; init; }

        // Its config.json says whether there is a terminal.
        public Request WithBundle() => Bundle is null ? this : this with
        {
            BundleSpec = OciBundle.Read(Bundle, out bool hasTerminal),
            Terminal = new TerminalChoice(hasTerminal),
        };

        // After a "--" the parser takes the first word of the command for it.
        public IReadOnlyList<string> BundleCommand => GivenHandle is null ? Command : [GivenHandle, .. Command];

        public string Handle => GivenHandle switch
        {
            null => throw new UsageException("no HANDLE given"),
            "" => throw new UsageException("HANDLE is empty"),
            { } handle => handle,
        };

        public string? PidFile { get; init; }
        public string? JsonStatus { get; init; }
        public Func<ContainerSpec, ContainerSpec> Limit { get; init; } = spec => spec;
        public bool NoNewPrivileges { get; init; }
        public bool SystemCallFilter { get; init; } = true;
        public bool SuppressSync { get; init; }
        public RootMode Mode { get; init; } = RootMode.Memory;
        public string? Keep { get; init; }
        public bool ReadOnly { get; init; }
        public TerminalChoice Terminal { get; init; } = new();
        public TimeSpan? Timeout { get; init; }
        public bool DiesWithParent { get; init; }
        public bool IsBuiltin { get; init; } = true;
        public string? Volume { get; init; }
        public BootRequest? Boot { get; init; }
    }
}
