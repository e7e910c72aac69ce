using System.Text;

namespace Layerbox.Cmd;

/// <summary>Completion scripts for all tools, written once from their declarations: at the prompt nothing of ours runs.</summary>
internal static class Completion
{
    public static string Script(string shell)
    {
        List<Surface> tools = [.. ToolTable.Tools.Values.Select(declare => Surface.Of(declare()))];
        Surface self = Surface.Of(SelfTool.Declare());
        return (shell switch { "bash" => Bash(tools, self), "zsh" => Zsh(tools, self), _ => Fish(tools, self) }).TrimEnd();
    }

    private static string Bash(List<Surface> tools, Surface self)
    {
        StringBuilder script = new();
        string names = string.Join(' ', tools.Select(t => t.Path));
        List<Surface> all = [self, .. tools.SelectMany(tool => tool.All)];
        script.Append($$"""
            # bash completion of layerbox and its tools
            _layerbox() {
                local tool=${1##*/} cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at=1 i values='' options=''
                # bash takes "--option=value" for three words.
                if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
                case " {{names}} " in *" $tool "*) ;; *) tool=layerbox ;; esac
                if [[ $tool == layerbox && $COMP_CWORD -gt 1 && ${COMP_WORDS[1]} != -* ]]; then tool=${COMP_WORDS[1]} at=2; fi
                for ((i = at; i < COMP_CWORD; i++)); do
                    if [[ ${COMP_WORDS[i]} == -- ]]; then prev='' cur=./$cur; break; fi
                    case "$tool ${COMP_WORDS[i]}" in
                        {{Pattern(all.SelectMany(s => s.Commands).Select(c => c.Path))}}) tool="$tool ${COMP_WORDS[i]}" ;;
                    esac
                done
                case "$tool $prev" in

            """);
        foreach (Surface command in all)
        {
            foreach (Surface.Choice option in command.Options.Where(o => o.Allowed is not []))
                script.Append($"        {Pattern(option.Spellings.Select(s => $"{command.Path} {s}"))}) values='{string.Join(' ', option.Allowed)}' ;;\n");
            IEnumerable<string> free = command.Options.Where(o => o.ValueName is not null && o.Allowed is []).SelectMany(o => o.Spellings);
            if (free.Any())
                script.Append($"        {Pattern(free.Select(s => $"{command.Path} {s}"))}) values=' ' ;;\n");
        }
        script.Append("    esac\n    if [[ -z $values ]]; then\n        case $tool in\n");
        foreach (Surface command in all)
        {
            IEnumerable<string> words = command.Arguments.SelectMany(a => a.Allowed).Concat(command.Commands.Select(LastWord));
            if (command == self)
                words = words.Concat(tools.Select(t => t.Path));
            string options = string.Join(' ', command.Options.SelectMany(o => o.Spellings));
            script.Append($"            '{command.Path}') options='{options}' values='{string.Join(' ', words)}' ;;\n");
        }
        script.Append($$"""
                    esac
                    if [[ $cur == -* ]]; then values=$options; fi
                fi
                if [[ $cur == ./* && ${COMP_WORDS[COMP_CWORD]} != ./* ]]; then cur=${cur#./} values=''; fi
                mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
                if [[ ${#COMPREPLY[@]} -eq 0 ]]; then
                    compopt -o filenames
                    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                fi
            }
            complete -F _layerbox layerbox {{names}}
            """);
        return script.ToString();
    }

    private static string Zsh(List<Surface> tools, Surface self)
    {
        StringBuilder script = new();
        string names = string.Join(' ', tools.Select(t => t.Path));
        script.Append($"#compdef layerbox {names}\n# zsh completion of layerbox and its tools\n_layerbox() {{\n    local tool=${{service:-layerbox}}\n");
        script.Append("    if [[ $tool == layerbox && $CURRENT -gt 2 && $words[2] != -* ]]; then\n        tool=$words[2]\n        shift words\n        (( CURRENT-- ))\n    fi\n");
        script.Append("    case \"$tool ${words[2]}\" in\n");
        foreach (Surface command in tools.SelectMany(tool => tool.All).Where(c => c.Path.Contains(' ', StringComparison.Ordinal)))
            script.Append($"        {Quote(command.Path)}) tool={Quote(command.Path)}; shift words; (( CURRENT-- )) ;;\n");
        script.Append("    esac\n    case $tool in\n");
        foreach (Surface command in (IEnumerable<Surface>)[self, .. tools.SelectMany(tool => tool.All)])
        {
            script.Append($"        {Quote(command.Path)})\n            _arguments -s -S");
            foreach (Surface.Choice option in command.Options)
            {
                string value = option.ValueName is null ? "" : $":{Plain(option.ValueName)}:{ZshValues(option.Allowed)}";
                foreach (string spelling in option.Spellings)
                    script.Append($" \\\n                {Quote($"{(option.Repeats ? "*" : "")}{spelling}[{Plain(option.Description)}]{value}")}");
            }
            foreach (Surface.Value argument in command.Arguments)
                script.Append($" \\\n                {Quote($"{(argument.Repeats ? "*" : "")}:{Plain(argument.Name)}:{ZshValues(argument.Allowed)}")}");
            string[] words = command == self ? [.. tools.Select(t => t.Path)] : [.. command.Commands.Select(LastWord)];
            if (words is not [])
                script.Append($" \\\n                {Quote($":command:{ZshValues(words)}")}");
            script.Append("\n            ;;\n");
        }
        return script.Append("    esac\n}\nif [[ $funcstack[1] == _layerbox ]]; then _layerbox \"$@\"; else compdef _layerbox layerbox ").Append(names).Append("; fi").ToString();
    }

    private static string Fish(List<Surface> tools, Surface self)
    {
        StringBuilder script = new("# fish completion of layerbox and its tools\n");
        AppendFish(script, self, "layerbox", "__fish_use_subcommand");
        foreach (Surface tool in tools)
        {
            script.Append($"complete -c layerbox -n __fish_use_subcommand -f -a {FishQuote(tool.Path)} -d {FishQuote(tool.Summary)}\n");
            AppendFish(script, tool, "layerbox", $"__fish_seen_subcommand_from {tool.Path}");
            AppendFish(script, tool, tool.Path, "");
        }
        return script.ToString();
    }

    private static void AppendFish(StringBuilder script, Surface command, string program, string condition)
    {
        string start = $"complete -c {program}{(condition.Length > 0 ? $" -n {FishQuote(condition)}" : "")}";
        foreach (Surface.Choice option in command.Options)
        {
            string names = string.Concat(option.Spellings.Select(s => s.StartsWith("--", StringComparison.Ordinal) ? $" -l {s[2..]}" : $" -s {s[1..]}"));
            string value = option.ValueName is null ? "" : option.Allowed is [] ? " -r" : $" -x -a {FishQuote(string.Join(' ', option.Allowed))}";
            script.Append($"{start}{names}{value} -d {FishQuote(option.Description)}\n");
        }
        foreach (Surface.Value argument in command.Arguments.Where(a => a.Allowed is not []))
            script.Append($"{start} -a {FishQuote(string.Join(' ', argument.Allowed))}\n");
        foreach (Surface part in command.Commands)
        {
            string word = LastWord(part);
            string before = condition.Length > 0 ? $"{condition}; and not __fish_seen_subcommand_from {word}" : $"not __fish_seen_subcommand_from {word}";
            string after = condition.Length > 0 ? $"{condition}; and __fish_seen_subcommand_from {word}" : $"__fish_seen_subcommand_from {word}";
            script.Append($"complete -c {program} -n {FishQuote(before)} -f -a {FishQuote(word)} -d {FishQuote(part.Summary)}\n");
            AppendFish(script, part, program, after);
        }
    }

    private static string LastWord(Surface command) => command.Path.Split(' ')[^1];

    // A "case" pattern that matches exactly these; one that matches nothing when there are none.
    private static string Pattern(IEnumerable<string> texts) => texts.Any() ? string.Join('|', texts.Select(Quote)) : "''";

    private static string ZshValues(string[] allowed) => allowed is [] ? "_files" : $"({string.Join(' ', allowed)})";

    // Brackets and colons separate the parts of an _arguments specification.
    private static string Plain(string text) => text
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("[", "\\[", StringComparison.Ordinal)
        .Replace("]", "\\]", StringComparison.Ordinal)
        .Replace(":", "\\:", StringComparison.Ordinal);

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string FishQuote(string text) =>
        $"'{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
