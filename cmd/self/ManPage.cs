using System.Text;

namespace Layerbox.Cmd;

/// <summary>A tool's manual page in the man(7) macros, from its declaration.</summary>
internal static class ManPage
{
    public static string Render(Tool tool)
    {
        Surface surface = Surface.Of(tool);
        StringBuilder page = new();
        page.Append($".TH {Text(surface.Path.ToUpperInvariant())} 1 \"\" \"{Dispatcher.Self} {Versions.Own}\" \"{Dispatcher.Self}\"\n");
        page.Append($".SH NAME\n{Text(surface.Path)} \\- {Text(surface.Summary)}\n.SH SYNOPSIS\n");
        string separator = "";
        foreach (Surface command in surface.All.Where(c => c.Commands is []))
        {
            page.Append($"{separator}.B {Text(command.Path)}\n{Synopsis(command)}\n");
            separator = ".br\n";
        }
        page.Append(".SH DESCRIPTION\n");
        foreach (string line in surface.Description.Split('\n'))
            page.Append($"{Text(line)}\n");
        foreach (Surface command in surface.All)
        {
            if (command != surface)
                page.Append($".SS {Text(command.Path)}\n{Text(command.Description)}\n");
            AppendArguments(page, command, isTop: command == surface);
        }
        AppendEnd(page, surface, tool);
        return page.ToString().TrimEnd();
    }

    private static void AppendArguments(StringBuilder page, Surface command, bool isTop)
    {
        if (isTop && command.Arguments is not [])
            page.Append(".SH ARGUMENTS\n");
        foreach (Surface.Value argument in command.Arguments)
            page.Append($".TP\n\\fI{Text(argument.Name)}\\fR\n{Text(argument.Description)}\n");
        if (isTop)
            page.Append(".SH OPTIONS\n");
        foreach (Surface.Choice option in command.Options)
        {
            string names = string.Join(", ", option.Spellings.Select(name => $"\\fB{Text(name)}\\fR"));
            page.Append($".TP\n{names}{(option.ValueName is { } value ? $" \\fI{Text(value)}\\fR" : "")}\n{Text(option.Description)}\n");
            if (option.Default is { } usual)
                page.Append($"Default: {Text(usual)}.\n");
            if (option.Repeats)
                page.Append("May be repeated.\n");
        }
    }

    private static void AppendEnd(StringBuilder page, Surface surface, Tool tool)
    {
        page.Append(tool.TroubleStatus == ExitStatus.ContainerFailed
            ? """
            .SH EXIT STATUS
            That of the command; 128 + N when signal N ended it.
            .br
            124: its time was up.
            .br
            125: there is no container, or the command line is wrong.
            .br
            126, 127: the command cannot be executed, is not there.
            .br
            70: a bug of our own.

            """
            : """
            .SH EXIT STATUS
            0: done, or "yes" from a tool that answers a question.
            .br
            1: "no" from a tool that answers a question.
            .br
            2: trouble of any kind, usage included.
            .br
            70: a bug of our own.

            """);
        page.Append(".SH EXAMPLES\n.EX\n");
        foreach (string line in tool.Examples.Values.Prepend(tool.Example).SelectMany(example => example.Split('\n')).Distinct())
            page.Append($"{Text(line)}\n");
        page.Append(".EE\n");
        if (surface.Path != Dispatcher.Self)
            page.Append($".SH SEE ALSO\n.BR {Dispatcher.Self} (1)\n");
    }

    private static string Synopsis(Surface command)
    {
        IEnumerable<string> required = command.Options.Where(o => o.IsRequired).Select(o => $"{Text(o.Name)} \\fI{Text(o.ValueName ?? "")}\\fR");
        IEnumerable<string> arguments = command.Arguments.Select(a =>
        {
            string name = $"\\fI{Text(a.Name)}\\fR{(a.Repeats ? " ..." : "")}";
            return a.IsRequired ? name : $"[{name}]";
        });
        return string.Join(' ', ["[\\fIoptions\\fR]", .. required, .. arguments]);
    }

    // groff(7): "\e" is a backslash, "\-" an ASCII minus, "\(aq" an ASCII quote; a leading dot or quote would be a request.
    private static string Text(string text)
    {
        string escaped = text
            .Replace("\\", "\\e", StringComparison.Ordinal)
            .Replace("-", "\\-", StringComparison.Ordinal)
            .Replace("'", "\\(aq", StringComparison.Ordinal)
            .Replace("`", "\\(ga", StringComparison.Ordinal);
        // groff reads Latin-1 unless told otherwise; "\[u2192]" means the same everywhere.
        string ascii = string.Concat(escaped.EnumerateRunes().Select(rune => rune.IsAscii ? rune.ToString() : $"\\[u{rune.Value:X4}]"));
        return ascii.StartsWith('.') ? $"\\&{ascii}" : ascii;
    }
}
