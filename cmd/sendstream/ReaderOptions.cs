using System.CommandLine;

namespace Layerbox.Cmd.Sendstream;

/// <summary>How send-streams are read: options that tools have in common which look at every command.</summary>
/// <param name="hasContents">Whether the tool reads the bytes of files.</param>
internal sealed class ReaderOptions(bool hasContents = true)
{
    private const int MaxThreads = 64;

    private readonly LimitOptions _limits = new(hasContents);

    private readonly Option<bool> _mapped = new("--mapped")
    {
        Description = "Map the file instead of reading it, which is faster. It must not become shorter meanwhile: that would end the tool by SIGBUS.",
    };

    private readonly Option<int> _threads = new("--threads")
    {
        Description = "Check CRCs on so many threads, of a mapped file.",
        DefaultValueFactory = _ => 1,
        HelpName = "N",
    };

    public void AddTo(Command command)
    {
        command.Add(_mapped);
        command.Add(_threads);
        _limits.AddTo(command);
    }

    /// <summary>What the options say.</summary>
    /// <exception cref="UsageException">An option makes no sense.</exception>
    public Reading Of(ParseResult args, bool skipCrc = false)
    {
        int threads = args.GetValue(_threads);
        if (threads is < 1 or > MaxThreads)
            throw new UsageException($"--threads: {threads} is not between 1 and {MaxThreads}");
        Reading reading = _limits.Of(args);
        return reading with
        {
            Limits = reading.Limits with { SkipCrc = skipCrc },
            IsMapped = args.GetValue(_mapped) || threads > 1,
            Threads = skipCrc ? 1 : threads,
        };
    }
}
