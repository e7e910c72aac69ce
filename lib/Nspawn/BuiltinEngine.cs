using System.Runtime.CompilerServices;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>
/// Containers by the kernel's own calls: namespaces, mounts, capabilities and a system call filter, without any other program. What is made
/// lives in the container's namespaces and ends with them, even by SIGKILL.
/// </summary>
public sealed class BuiltinEngine : ContainerEngine
{
    internal const string Name = "builtin";

    /// <summary>Folders that have to be real ones where they exist: what the engine mounts there must not land elsewhere.</summary>
    internal static readonly string[] MountPoints = ["dev", "proc", "run", "sys", "tmp"];

    /// <summary>The static executable that clones in our place; it calls <see cref="ContainerEntry.TryRun"/> first thing.</summary>
    public string? Executable { get; init; } =
        RuntimeFeature.IsDynamicCodeSupported ? Environment.GetEnvironmentVariable(NspawnEngine.ExecutableVariable) : "/proc/self/exe";

    /// <summary>
    /// Says that the caller is the main thread of a program that has started no other, nor anything that would (tasks, timers, signal
    /// handlers). Then, where nothing speaks against it, this process itself becomes process 1 of the container by cloning, which saves a start.
    /// </summary>
    public bool IsOnlyThread { get; init; }

    public override ContainerOutline Outline(ContainerSpec spec)
    {
        spec = spec.Resolve();
        // Groups are looked up apart, because planning them may move this process.
        spec = spec with { Users = spec.UserRange?.Namespace() };
        return ContainerOutline.Of(spec, BuiltinPlan.Of(spec with { Limits = ContainerLimits.None }).Mounts, program: null);
    }

    public override RunningContainer Start(ContainerSpec spec)
    {
        spec = spec.Resolve();
        spec = spec with { Users = UsersOf(spec) };
        try
        {
            spec.Users?.Check(spec.User);
            return Run(spec);
        }
        catch
        {
            spec.Users?.Claim?.Dispose();
            throw;
        }
    }

    public override BootedContainer Boot(ContainerSpec spec, ContainerBoot boot)
    {
        BootListener listener = new(boot.Console);
        try
        {
            ContainerSpec init = boot.Describe(spec, listener).Resolve();
            RequireRoot("a system that boots");
            if (spec.UserRange is not null)
                throw new ContainerException("a system that boots cannot have a user namespace: leave out --user-namespace");
            return new BootedContainer(Run(init), listener, spec, new BuiltinEngine { Executable = Executable }.Enter);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Runs a command in a container that runs already, whichever engine made it: with its namespaces, control groups, capabilities and
    /// system call filter. Command, environment, user, folder, streams and time are those of the description that is given.
    /// </summary>
    /// <exception cref="ContainerException">The container has ended, or this process may not enter it.</exception>
    public RunningContainer Enter(ContainerDescription container, ContainerSpec spec)
    {
        spec.Validate();
        ContainerTarget target = ContainerTarget.Open(container);
        try
        {
            target.Users?.Check(spec.User);
            return Run(spec with
            {
                Target = target,
                Users = target.Users,
                Capabilities = ContainerCapabilities.NamesOf(container.Capabilities),
                AmbientCapabilities = spec.User.Uid == container.User.Uid ? ContainerCapabilities.NamesOf(container.AmbientCapabilities) : [],
                NoNewPrivileges = container.NoNewPrivileges || spec.NoNewPrivileges,
                SystemCallFilter = container.SystemCallFilter,
                SuppressSync = container.SuppressSync,
            });
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    private static UserNamespace? UsersOf(ContainerSpec spec)
    {
        if (ProcessOwner.EffectiveUid != 0)
        {
            return spec.UserRange is null ? UserNamespace.ForThisProcess()
                : throw new ContainerException("a user namespace with other numbers needs root; a plain user's container has one already: leave out --user-namespace");
        }
        return spec.UserRange?.Claim();
    }

    private static void RequireRoot(string what)
    {
        if (ProcessOwner.EffectiveUid != 0)
            throw new ContainerException($"{what} needs root: run this with sudo");
    }

    private BuiltinContainer Run(ContainerSpec spec)
    {
        BuiltinPlan plan = BuiltinPlan.Of(spec);
        if (IsOnlyThread && !plan.HasAfter && OwnClone.IsSound(spec))
            return new BuiltinContainer(spec, plan, null);
        string executable = Executable
            ?? throw new ContainerException($"this is not the published executable, which has to make the container: set {NspawnEngine.ExecutableVariable} to where that is");
        // Without /proc only the path is left by which we were started.
        return new BuiltinContainer(spec, plan, Files.Exists(executable) ? executable : CurrentProcess.StartedAs ?? executable);
    }
}
