using Layerbox.Nspawn;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

// In place of the classes of these names, of which only the whole module has what they do.
internal static class OciBundle
{
    public static ContainerSpec Read(string folder, out bool hasTerminal) => throw new NotInThisModuleException($"--bundle {folder}");
}

internal static class ContainerPlanJson
{
    public static void Write(ContainerSpec spec, PlanWishes wishes, ContainerOutline outline, Stream output) =>
        throw new NotInThisModuleException("--plan");
}

internal sealed class BootSession(BootedContainer system, BootRequest boot, IReadOnlyList<string> command, BootStop stop, Streams io) : RunningContainer
{
    public override void Send(Signal signal)
    {
    }

    public override ContainerResult Wait() => throw new NotInThisModuleException($"--boot {system} {boot} {command} {stop} {io}");

    protected override void Dispose(bool disposing)
    {
    }
}
