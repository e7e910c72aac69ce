using System.CommandLine;
using Layerbox.Cmd.Layers;
using Layerbox.Layer;
using Layerbox.Posix;

namespace Layerbox.Cmd.Rpms;

/// <summary>rpm-resolve: what dnf would install for a list of names, as a lock file.</summary>
internal static class RpmResolve
{
    private const string Name = "rpm-resolve";

    public static Tool Declare()
    {
        Argument<string[]> names = new("NAME") { Description = "Packages: names, full names, patterns, paths or what they provide, as dnf install takes them.", Arity = ArgumentArity.ZeroOrMore };
        Option<string> store = new("--store") { Description = "The folder with the snapshots.", Required = true, HelpName = "DIR" };
        Option<string> snapshot = new("--snapshot") { Description = "A tag, an id, or the first digits of an id.", Required = true, HelpName = "SNAPSHOT" };
        Option<string[]> repos = new("--repo") { Description = "Of the snapshot only this repository. May be given several times.", HelpName = "NAME" };
        Option<string[]> remove = new("--remove") { Description = "A package that is to be removed from the parent. May be given several times.", HelpName = "NAME" };
        Option<string?> parent = new("--parent") { Description = "The handle of the layer that would be installed into; without it nothing is there yet.", HelpName = "HANDLE" };
        Option<string?> appliance = new("--appliance") { Description = "The handle of a layer that has dnf; without it this machine's is asked.", HelpName = "HANDLE" };
        Option<bool> weak = new("--weak-deps") { Description = "Take packages along that others only recommend." };
        Option<string?> platform = new("--module-platform") { Description = "The platform of modules, such as platform:el9.", HelpName = "PLATFORM" };
        Option<string?> output = new("--output", "-o") { Description = "Write the lock file here, not to standard output.", HelpName = "FILE" };
        Option<string?> volume = LayerArguments.Volume();
        Option<string> progress = Progress.Option();
        Command command = new(Name, "Say which packages dnf would install from a snapshot: a lock file for rpms_install.")
        {
            names, store, snapshot, repos, remove, parent, appliance, weak, platform, output, volume, progress,
        };
        return new Tool(
            command,
            "rpm-resolve --store /srv/rpm --snapshot 2026-11-21 bash coreutils --output base.lock.json\n"
            + "rpm-resolve --store /srv/rpm --snapshot 2026-11-21 --parent base.layer openssl | jq -r '.packages[].nevra'",
            (args, io) => Run(
                args.GetValue(names) ?? [],
                new RpmSource("--snapshot", args.GetRequiredValue(store), tag: args.GetRequiredValue(snapshot), repos: args.GetValue(repos) is { Length: > 0 } some ? some : null)
                {
                    WeakDependencies = args.GetValue(weak),
                    ModulePlatform = args.GetValue(platform),
                },
                args.GetValue(remove) ?? [], (args.GetValue(parent), args.GetValue(appliance), args.GetValue(volume)), args.GetValue(output), args.GetValue(progress), io));
    }

    private static int Run(
        string[] names, RpmSource source, string[] remove, (string? Parent, string? Appliance, string? Volume) layers, string? output, string? progressMode, Streams io)
    {
        if (names.Length + remove.Length == 0)
            throw new UsageException("no package is named");
        if (remove.Length > 0 && layers.Parent is null)
            throw new UsageException("--remove goes with --parent");
        using Progress progress = Progress.Start(io, progressMode);
        using BuiltLayer? parent = layers.Parent is null ? null : LayerArguments.Open(layers.Parent, layers.Volume, io);
        using BuiltLayer? appliance = layers.Appliance is null ? null : LayerArguments.Open(layers.Appliance, layers.Volume, io);
        using OutputDirectory work = OutputDirectory.Create(Path.Combine(Path.GetTempPath(), Name), replace: true); // never committed, so it goes
        RpmLock resolved = new RpmResolver(source)
        {
            Install = names,
            Remove = remove,
            Parent = parent,
            Appliance = appliance,
            Progress = (what, done, total) => progress.Report(what, done, total, "packages"),
        }.Resolve(work.TemporaryPath, io.Cancellation);
        if (output is null)
            io.Out.Write(resolved.ToBytes());
        else
            WholeFile.Write(output, resolved.ToBytes());
        return ExitStatus.Success;
    }
}
