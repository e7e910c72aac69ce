namespace Layerbox.Nspawn;

/// <summary>The parts that our executable plays when an engine starts it: outside of the container, and as its process 1.</summary>
public static class ContainerEntry
{
    internal const string Guard = "__container-guard", Init = "__container-init", Launcher = "__container-launcher", Keeper = "__terminal-keeper";

    // An engine may be told to use another executable than its own: this says that they understand each other.
    internal const string Version = "9";

    /// <summary>Plays the part that the arguments ask for, to its end; null when they ask for none.</summary>
    public static int? TryRun(ReadOnlySpan<string> arguments) => arguments switch
    {
        [Launcher, Version] => ContainerLauncher.Run(hasTarget: false),
        [Launcher, Version, ContainerLauncher.EnterMark] => ContainerLauncher.Run(hasTarget: true),
        [Guard, Version, var descriptors, var root, .. var rest] => ContainerGuard.Run(descriptors, root, rest.ToArray()),
        [Init, Version] => ContainerInit.Run(),
        [Keeper, Version] => TerminalKeeper.Run(),
        _ => null,
    };
}
