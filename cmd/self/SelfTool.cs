using System.CommandLine;

namespace Layerbox.Cmd;

/// <summary>layerbox itself: what it does when no tool is named.</summary>
internal static class SelfTool
{
    public static Tool Declare()
    {
        Option<string> install = new("--install") { Description = "Make a link for every tool in a folder, which must exist.", HelpName = "dir" };
        Option<bool> list = new("--list") { Description = "Print the name and purpose of every tool." };
        Option<bool> version = new("--version") { Description = "Print the version, and those of the libraries that are linked in." };
        Option<string> man = new("--man") { Description = "Print the manual page of a tool, for 'man -l -'.", HelpName = "tool" };
        // Not AcceptOnlyFromAmong: that would make the usage line as long as the table.
        man.CompletionSources.Add(_ => [.. ToolTable.Tools.Keys.Append(Dispatcher.Self).Select(name => new System.CommandLine.Completions.CompletionItem(name))]);
        Option<string> completion = new("--completion") { Description = "Print the completion script of a shell, for all tools." };
        completion.AcceptOnlyFromAmong("bash", "zsh", "fish");
        Command command = new(Dispatcher.Self, """
            Small tools that build, run and package container filesystems.
            Call a tool as 'layerbox TOOL', or through a link that bears its name.
            """) { install, list, version, man, completion };
        Option[] actions = [install, list, version, man, completion];
        command.Validators.Add(result =>
        {
            if (actions.Count(action => result.GetResult(action) is { Implicit: false }) != 1)
                result.AddError("give a tool or one option; 'layerbox --list' names the tools");
        });
        const string Example = "layerbox --install /usr/local/bin\nlayerbox --man layer-compile | man -l -";
        return new Tool(command, Example, (args, io) =>
        {
            if (args.GetValue(install) is { } folder)
                return Installation.Run(folder, io);
            if (args.GetValue(man) is { } tool)
                io.WriteLine(ManPage.Render(Named(tool)));
            else if (args.GetValue(completion) is { } shell)
                io.WriteLine(Completion.Script(shell));
            else
                (args.GetValue(version) ? Versions.Lines() : List()).ForEach(io.WriteLine);
            return ExitStatus.Success;
        });
    }

    private static List<string> List()
    {
        int width = ToolTable.Tools.Keys.Max(name => name.Length);
        return [.. ToolTable.Tools.Select(tool => $"{tool.Key.PadRight(width)}  {Surface.Of(tool.Value()).Summary}")];
    }

    private static Tool Named(string name) =>
        name == Dispatcher.Self ? Declare()
        : ToolTable.Tools.TryGetValue(name, out Func<Tool>? declare) ? declare()
        : throw new UsageException($"{name}: no such tool; see 'layerbox --list'");
}
