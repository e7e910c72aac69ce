using System.Runtime.CompilerServices;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>
/// Containers by systemd-nspawn(1), without a running systemd: nspawn builds the namespaces and mounts, our own executable is process 1
/// inside, which is what makes exit statuses and signals exact (nspawn itself turns a killed command into 255 and one that is not found into 1).
/// </summary>
public sealed class NspawnEngine : ContainerEngine
{
    internal const string Name = "nspawn";

    // nspawn, the process 1 that guards it, that of the container with a thread, and the command (tried).
    private const int LeastProcesses = 5;

    /// <summary>Names the executable where the running one cannot be used inside of images, as under "dotnet run" and in tests.</summary>
    public const string ExecutableVariable = "LAYERBOX_BIN";

    /// <summary>The static executable that guards the container and runs as its process 1; it calls <see cref="ContainerEntry.TryRun"/> first thing.</summary>
    public string? Executable { get; init; } =
        RuntimeFeature.IsDynamicCodeSupported ? Environment.GetEnvironmentVariable(ExecutableVariable) : "/proc/self/exe";

    /// <summary>The systemd-nspawn to run: a path, or a name that is looked for on PATH.</summary>
    public string Program { get; init; } = "systemd-nspawn";

    public override ContainerOutline Outline(ContainerSpec spec)
    {
        spec = spec.Resolve();
        RefuseWhatIsBuiltIn(spec);
        List<PlannedMount> mounts =
        [
            .. spec.Overlays.Select(path => new PlannedMount(path, "overlay", path, ["rw"])),
            .. spec.Tmpfs.Select(path => new PlannedMount(path, "tmpfs", null, [])),
            .. spec.Binds.Select(bind => new PlannedMount(bind.Destination, "bind", bind.Source, [bind.ReadOnly ? "ro" : "rw", bind.IsRecursive ? "rbind" : "bind"])),
        ];
        string root = spec.Ephemeral ? ContainerGuard.Overlay : RealPath.Of(spec.Root);
        // Its name is another one each time.
        List<string> arguments = spec.Boot is null ? NspawnArguments.Of(spec, root) : NspawnArguments.OfBoot(spec, root);
        return ContainerOutline.Of(spec, mounts, [Program, .. arguments.Where(argument => !argument.StartsWith("--machine=", StringComparison.Ordinal))]);
    }

    public override BootedContainer Boot(ContainerSpec spec, ContainerBoot boot)
    {
        BootListener listener = new(boot.Console);
        try
        {
            ContainerSpec init = boot.Describe(spec, listener).Resolve();
            (string program, string executable) = Programs(init);
            return new BootedContainer(new NspawnBootContainer(init, program, executable), listener, spec, new BuiltinEngine { Executable = executable }.Enter);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    public override RunningContainer Start(ContainerSpec spec)
    {
        spec = spec.Resolve();
        (string program, string executable) = Programs(spec);
        return new NspawnContainer(spec, program, executable);
    }

    private static void RefuseWhatIsBuiltIn(ContainerSpec spec)
    {
        if (spec.Limits.Processes < LeastProcesses)
            throw new ContainerException($"a limit of {spec.Limits.Processes} processes is too small for systemd-nspawn, which with process 1 of the container takes {LeastProcesses - 1} itself");
        if (spec.UserRange is not null)
            throw new ContainerException("users of the container's own are mapped by the built-in engine only");
        if (spec.Binds.FirstOrDefault(bind => bind.IsInner) is { } inner)
            throw new ContainerException($"{inner.Destination}: binds of the container's own paths are made by the built-in engine only");
    }

    private (string Nspawn, string Executable) Programs(ContainerSpec spec)
    {
        RefuseWhatIsBuiltIn(spec);
        if (ProcessOwner.EffectiveUid != 0)
            throw new ContainerException($"{Program} needs root: run this with sudo");
        string program = ProgramStart.TryFind(Program)
            ?? throw new ContainerException($"{Program} is not installed (Debian, Ubuntu, Fedora, RHEL: package systemd-container)");
        if (!Files.Exists("/proc/self/fd"))
            throw new ContainerException($"{Program} needs /proc, which is not mounted here");
        return (
            program,
            Executable
                ?? throw new ContainerException($"this is not the published executable, which has to run inside: set {ExecutableVariable} to where that is"));
    }
}
