using System.CommandLine;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>How send streams are read: options that tools have in common which look at every command.</summary>
internal sealed class ReaderOptions
{
    private const int MaxThreads = 64;

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

    private readonly Option<bool> _allowUnknown = new("--allow-unknown") { Description = "Take commands and attributes that are not known, or of a newer version than the stream's." };

    private readonly Option<string?> _maxCommand = new("--max-command")
    {
        Description = "The longest command that is accepted, such as 128M; without it 64M.",
        HelpName = "SIZE",
    };

    public void AddTo(Command command)
    {
        command.Add(_mapped);
        command.Add(_threads);
        command.Add(_maxCommand);
        command.Add(_allowUnknown);
    }

    /// <summary>A reader as the options say.</summary>
    /// <exception cref="UsageException">An option makes no sense, or not with this input.</exception>
    public SendStreamReader Open(StreamInput input, ParseResult args, bool skipCrc = false)
    {
        int threads = args.GetValue(_threads);
        if (threads is < 1 or > MaxThreads)
            throw new UsageException($"--threads: {threads} is not between 1 and {MaxThreads}");
        return input.NewReader(LimitsOf(args, skipCrc), args.GetValue(_mapped), skipCrc ? 1 : threads);
    }

    /// <summary>What is put up with.</summary>
    public SendStreamLimits LimitsOf(ParseResult args, bool skipCrc = false)
    {
        SendStreamLimits limits = new() { AllowUnknown = args.GetValue(_allowUnknown), SkipCrc = skipCrc };
        return args.GetValue(_maxCommand) is { } size
            ? limits with { MaxCommandLength = (int)Math.Min(Quantity.Bytes(size, "--max-command"), SendStreamLimits.LargestMaxCommandLength) }
            : limits;
    }
}
