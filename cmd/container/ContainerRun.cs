using System.CommandLine;
using Layerbox.Layer;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>container-run: runs a command in a layer and passes its exit status on.</summary>
internal static class ContainerRun
{
    private const string Name = "container-run", NoNetwork = "none", HostNetwork = "host", Shell = "/bin/sh";

    public static Tool Declare()
    {
        Argument<string> handle = new("HANDLE") { Description = "A layer handle, - for one on standard input, or a folder with a system in it." };
        Argument<string[]> command = new("CMD")
        {
            Description = "Program and arguments, after a --. Without: what the layer's config says; on a terminal a shell.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string?> user = new("--user") { Description = "Run as this user of the image: a name or a number, with :GROUP if need be.", HelpName = "USER[:GROUP]" };
        Option<string[]> env = new("--env", "-e") { Description = "Set an environment variable. Nothing of your own environment gets in.", HelpName = "NAME=VALUE" };
        Option<string?> workdir = new("--workdir", "-w") { Description = "Start in this folder of the image.", HelpName = "DIR" };
        Option<string> hostname = new("--hostname") { Description = "What the container calls itself.", DefaultValueFactory = _ => ContainerSpec.DefaultHostName, HelpName = "NAME" };
        Option<string[]> bind = new("--bind")
        {
            Description = "Show a file or folder of this machine inside; :ro forbids to write to it. A colon in a path is written \\:.",
            HelpName = "SRC:DST[:ro]",
        };
        Option<string[]> tmpfs = new("--tmpfs") { Description = "Show an empty filesystem in memory here.", HelpName = "PATH" };
        Option<string> network = new("--network") { Description = "none: only its own loopback; host: all that this machine reaches.", DefaultValueFactory = _ => NoNetwork };
        network.AcceptOnlyFromAmong(NoNetwork, HostNetwork);
        Option<string[]> capability = new("--capability") { Description = "Leave the command this capability too, such as CAP_MKNOD.", HelpName = "CAP" };
        Option<bool> inPlace = new("--in-place") { Description = "Work in the folder itself and keep what the command changes. Layers never change: then it is a snapshot that is thrown away." };
        Option<bool> readOnly = new("--read-only") { Description = "The command can write to /dev, /run, /tmp, binds and tmpfs only." };
        Option<string?> timeout = new("--timeout") { Description = "Kill the command after this time, such as 90s or 10m, with exit status 124.", HelpName = "TIME" };
        Option<string?> volume = new("--volume") { Description = "The btrfs folder that layers live on; else $LAYERBOX_VOLUME, a .layerbox folder above, or the volume in the cache.", HelpName = "DIR" };
        Command declared = new(
            Name,
            "Run a command in a container made from a layer. It works on a snapshot, which is gone afterwards, without a network, and its exit status is passed on: "
            + "128 + N when signal N ended it, 127 when it is not found, 126 when it cannot be executed, 124 when it took too long, 125 when the container failed.")
        {
            handle, command, user, env, workdir, hostname, bind, tmpfs, network, capability, inPlace, readOnly, timeout, volume,
        };
        return new Tool(
            declared,
            "container-run web.layer -- /usr/bin/web --self-test\nlayer-compile web.layer.json | container-run - --user web --env PORT=80 -- id",
            (args, io) => Run(
                new Request(args.GetRequiredValue(handle), args.GetValue(command) ?? [], args.GetValue(user), args.GetValue(env) ?? [], args.GetValue(workdir))
                {
                    HostName = args.GetRequiredValue(hostname),
                    Binds = [.. (args.GetValue(bind) ?? []).Select(BindText.Parse)],
                    Tmpfs = args.GetValue(tmpfs) ?? [],
                    Network = args.GetValue(network) == HostNetwork ? ContainerNetwork.Host : ContainerNetwork.None,
                    Capabilities = args.GetValue(capability) ?? [],
                    InPlace = args.GetValue(inPlace),
                    ReadOnly = args.GetValue(readOnly),
                    Timeout = args.GetValue(timeout) is { } time ? Quantity.Duration(time, "--timeout") : null,
                    Volume = args.GetValue(volume),
                },
                io))
        {
            TroubleStatus = ExitStatus.ContainerFailed,
        };
    }

    private static int Run(Request request, Streams io)
    {
        using SignalForwarding signals = new();
        using ContainerSource source = ContainerSource.Open(request.Handle, request.Volume, request.InPlace, io);
        // A handle on standard input was read to its end.
        using SafeFileHandle? input = request.Handle == "-" ? Files.Open("/dev/null", OpenFlags.ReadOnly) : null;
        using RunningContainer container = new NspawnEngine().Start(Describe(request, source) with { Input = input });
        signals.To(container);
        ContainerResult result = container.Wait();
        if (result.NotStarted is { } reason)
            io.Err.WriteLine(PathText.Printable($"{Name}: {reason.Message}"));
        if (result.TimedOut)
            io.Err.WriteLine($"{Name}: killed: its time is up");
        return result.Status;
    }

    private static ContainerSpec Describe(Request request, ContainerSource source)
    {
        RunConfig config = source.Config;
        ContainerUser user = (request.User ?? config.User) is { } name ? ContainerUser.Find(source.Root, name) : ContainerUser.Root;
        return new ContainerSpec(source.Root, Command(request.Command, config))
        {
            User = user,
            Environment = Merge(ContainerSpec.DefaultEnvironment(user), (config.Env ?? []).Select(v => $"{v.Key}={v.Value}"), request.Environment),
            WorkingDirectory = request.WorkingDirectory ?? config.WorkingDir ?? "/",
            HostName = request.HostName,
            Network = request.Network,
            Binds = [.. source.Binds, .. request.Binds],
            Tmpfs = request.Tmpfs,
            Capabilities = request.Capabilities,
            ReadOnly = request.ReadOnly,
            Timeout = request.Timeout,
        };
    }

    private static IReadOnlyList<string> Command(IReadOnlyList<string> given, RunConfig config)
    {
        if (given.Count > 0)
            return given;
        string[] configured = [.. config.Entrypoint ?? [], .. config.Cmd ?? []];
        if (configured.Length > 0)
            return configured;
        return StandardStreams.IsTerminal(FdStream.StandardInput.Handle)
            ? [Shell]
            : throw new UsageException("no command given, and the layer's config has none");
    }

    // Of a name that comes up again the last value counts, at the first one's place.
    private static List<string> Merge(params IEnumerable<string>[] lists)
    {
        List<string> merged = [];
        foreach (string variable in lists.SelectMany(list => list))
        {
            string name = variable[..(variable.IndexOf('=', StringComparison.Ordinal) + 1)];
            int at = name.Length == 0 ? -1 : merged.FindIndex(other => other.StartsWith(name, StringComparison.Ordinal));
            if (at < 0)
                merged.Add(variable);
            else
                merged[at] = variable;
        }
        return merged;
    }

    private sealed record Request(string Handle, IReadOnlyList<string> Command, string? User, IReadOnlyList<string> Environment, string? WorkingDirectory)
    {
        public required string HostName { get; init; }
        public required IReadOnlyList<ContainerBind> Binds { get; init; }
        public required IReadOnlyList<string> Tmpfs { get; init; }
        public required ContainerNetwork Network { get; init; }
        public required IReadOnlyList<string> Capabilities { get; init; }
        public required bool InPlace { get; init; }
        public required bool ReadOnly { get; init; }
        public required TimeSpan? Timeout { get; init; }
        public required string? Volume { get; init; }
    }
}
