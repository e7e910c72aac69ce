using System.CommandLine;
using System.Text;
using Layerbox.Cmd;
using Layerbox.Posix;

namespace Layerbox.Tests.Cmd;

/// <summary>Tools made for the tests of the dispatcher: one that says what it was given, and one that fails as asked.</summary>
internal static class SampleTools
{
    private static readonly Dictionary<string, Func<Tool>> Table = new() { ["say"] = DeclareSay, ["fail"] = DeclareFail, ["repo"] = DeclareRepo };

    public static (int Status, string Out, string Err) Run(params string[] args) => Run(new MemoryStream(), args);

    public static (int Status, string Out, string Err) Run(Stream output, params string[] args)
    {
        using StringWriter errors = new() { NewLine = "\n" };
        int status = Dispatcher.Run(Dispatcher.Self, args, new Streams(Stream.Null, output, errors), Table);
        return (status, output is MemoryStream memory ? Encoding.UTF8.GetString(memory.ToArray()) : "", errors.ToString());
    }

    public static Tool DeclareSay()
    {
        Argument<string> path = new("path") { Description = "A path." };
        Argument<string[]> more = new("more") { Description = "More paths." };
        Option<bool> json = new("--json", "-j") { Description = "Say it as JSON." };
        Option<string> format = new("--format") { Description = "How.", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong("json", "text");
        Option<long?> size = new("--size", "-s") { Description = "How much." };
        Option<string[]> source = new("--source") { Description = "From where." };
        Option<string> parent = new("--parent") { Description = "Of what." };
        Command command = new("say", "Say what was given.\nNothing else.") { path, more, json, format, size, source, parent };
        return new Tool(command, "say hello", (args, io) =>
        {
            List<string> said = [$"path={args.GetValue(path)}"];
            said.AddRange((args.GetValue(more) ?? []).Select(m => $"more={m}"));
            said.AddRange((args.GetValue(source) ?? []).Select(s => $"source={s}"));
            if (args.GetValue(json))
                said.Add("json");
            if (args.GetValue(size) is { } bytes)
                said.Add($"size={bytes}");
            if (args.GetValue(format) is { } form and not "text")
                said.Add($"format={form}");
            io.WriteLine(string.Join(' ', said));
            return ExitStatus.Success;
        });
    }

    private static Tool DeclareFail()
    {
        Argument<string> how = new("how");
        Option<string> needed = new("--needed") { Required = true };
        return new Tool(new Command("fail", "Fail as asked.") { how, needed }, "fail io", (args, io) =>
        {
            io.WriteLine("before");
            throw args.GetValue(how) switch
            {
                "posix" => new PosixException("open", Errno.ENOENT, "/nope"),
                "format" => new InvalidDataException("offset 3: found\nwhat was not expected"),
                "usage" => new UsageException("that makes no sense"),
                "interrupt" => Interrupt(io),
                "pipe" => new PosixException("write", Errno.EPIPE, FdStream.StandardOutput.Name),
                "otherpipe" => new PosixException("write", Errno.EPIPE, "pipe to tar"),
                _ => new InvalidOperationException("nobody foresaw this"),
            };
        });
    }

    private static OperationCanceledException Interrupt(Streams io)
    {
        io.Interruption.Request(Signal.SIGTERM);
        return new OperationCanceledException(io.Cancellation);
    }

    private static Tool DeclareRepo()
    {
        Argument<string> name = new("name");
        Command list = new("list", "List.") { name };
        return new Tool(new Command("repo", "Work on a repository.") { list, new Command("sync", "Synchronise.") }, "repo list x", (args, io) =>
        {
            io.WriteLine($"{args.CommandResult.Command.Name} {args.GetValue(name)}");
            return ExitStatus.Success;
        });
    }
}
