using System.CommandLine;
using System.Reflection;
using System.Text;
using Layerbox.Cmd;

namespace Layerbox.Tests.Cmd;

/// <summary>Every tool is in the table, is what its name says, and explains itself.</summary>
public class ToolTableTests
{
    public static TheoryData<string> Names => [.. ToolTable.Tools.Keys];

    [Fact]
    public void Holds_every_class_that_declares_a_tool()
    {
        IEnumerable<Type> declaring = typeof(Dispatcher).Assembly.GetTypes()
            .Where(type => type != typeof(SelfTool) && type.GetMethod("Declare", BindingFlags.Static | BindingFlags.Public)?.ReturnType == typeof(Tool));
        Assert.Equal(
            declaring.Select(type => type.FullName).Order(StringComparer.Ordinal),
            ToolTable.Tools.Values.Select(declare => declare.Method.DeclaringType!.FullName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Is_written_in_sorted_order()
    {
        string[] names = [.. File.ReadLines(Repository.PathOf("cmd", "ToolTable.cs")).Where(l => l.Contains("[\"", StringComparison.Ordinal)).Select(l => l.Split('"')[1])];
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
        Assert.Equal(ToolTable.Tools.Keys, names);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_tool_explains_itself(string name)
    {
        Func<Tool> declare = ToolTable.Tools[name];
        Tool tool = declare();
        string pascal = string.Concat(name.Split('-').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
        Assert.Equal(pascal, declare.Method.DeclaringType!.Name);
        Assert.Single(Directory.EnumerateFiles(Repository.PathOf("cmd"), $"{pascal}.cs", SearchOption.AllDirectories));
        Assert.Equal(name, tool.Command.Name);
        Assert.Contains(name, tool.Example, StringComparison.Ordinal);
        Assert.DoesNotContain("$ ", tool.Example, StringComparison.Ordinal);
        Assert.Empty(tool.Examples.Keys.Except(tool.Command.Subcommands.Select(part => part.Name)));
        Assert.True(tool.Examples.Count == 0 || tool.Command.Subcommands.All(part => tool.Examples.TryGetValue(part.Name, out string? example) && example.StartsWith($"{name} {part.Name} ", StringComparison.Ordinal)));
        Assert.All(tool.Examples.Values.SelectMany(example => example.Split('\n')), line => Assert.Empty(tool.Command.Parse(line.Split(" | ")[0].Replace('\'', '"')).Errors));
        Surface surface = Surface.Of(tool);
        AssertSentences(surface);
        Assert.InRange(surface.Summary.Length, 10, 100);
    }

    [Fact]
    public void Help_texts_are_as_last_reviewed()
    {
        StringBuilder texts = new();
        foreach (string name in ToolTable.Tools.Keys.Prepend(Dispatcher.Self))
        {
            string[] asked = name == Dispatcher.Self ? ["--help"] : [name, "--help"];
            texts.Append($"==> {name}\n{Tools.Run(asked).AssertSucceeded().Out}\n");
            Tool tool = name == Dispatcher.Self ? SelfTool.Declare() : ToolTable.Tools[name]();
            foreach (Command part in tool.Command.Subcommands)
                texts.Append($"==> {name} {part.Name}\n{Tools.Run(name, part.Name, "--help").AssertSucceeded().Out}\n");
        }
        Golden.Check("help.txt", texts.ToString());
    }

    [Fact]
    public void The_list_has_every_tool_with_its_purpose()
    {
        string[] lines = Tools.Run("--list").AssertSucceeded().Out.TrimEnd().Split('\n');
        Assert.Equal(ToolTable.Tools.Keys, lines.Select(line => line.Split(' ')[0]));
        Assert.All(lines, line => Assert.Matches("^[a-z-]+ +  ?[A-Z].*[^.]$", line));
    }

    [Fact]
    public void The_version_names_what_is_linked_in()
    {
        string text = Tools.Run("--version").AssertSucceeded().Out;
        Assert.All(["layerbox 0.", ".NET ", "zstd 1.", "liblzma 5.", "bzip2 1.", "OpenSSL 3.", "glibc 2."], part => Assert.Contains(part, text, StringComparison.Ordinal));
    }

    private static void AssertSentences(Surface command)
    {
        Assert.Matches("^[A-Z][^\n]*\\.(\n|$)", command.Description);
        Assert.All(command.Arguments, argument => Assert.Matches("^[^\n]+\\.$", argument.Description));
        Assert.All(command.Options, option => Assert.Matches("^[^\n]+\\.$", option.Description));
        Assert.All(command.Options, option => Assert.Matches("^--[a-z][a-z0-9-]*$", option.Name));
        Assert.All(command.Commands, AssertSentences);
    }
}
