using Layerbox.Cmd;
using Layerbox.Cmd.Containers;
using Layerbox.Posix;

// As the dispatcher of the whole module has it, for two tools. What main.c is told by this number it has the whole module do.
const int NotInThisModule = 0x4C42;

return Startup.Run(args, (invokedAs, arguments, io) =>
{
    string name = Path.GetFileName(invokedAs);
    if (name == "layerbox" && arguments is [var first, ..])
        (name, arguments) = (first, arguments[1..]);
    try
    {
        return DeclarationOf(name) is { } declare
            ? ToolRun.Guard(name, io, declare, tool => tool.Run(tool.Command.Parse(arguments), io))
            : NotInThisModule;
    }
    catch (NotInThisModuleException)
    {
        if (io.TakenIn.Length > 0)
            StandardStreams.PutBack(io.TakenIn.Span);
        return NotInThisModule;
    }
});

static Func<Tool>? DeclarationOf(string name) => name switch
{
    ContainerRun.Name => ContainerRun.Declare,
    ContainerEnter.Name => ContainerEnter.Declare,
    _ => null,
};
