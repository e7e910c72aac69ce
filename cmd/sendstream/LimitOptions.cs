using System.CommandLine;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>What a tool puts up with in send-streams: options of all tools that read them.</summary>
/// <param name="hasContents">Whether the tool reads the bytes of files.</param>
internal sealed class LimitOptions(bool hasContents = true)
{
    private readonly Option<string?> _maxCommand = new("--max-command") { Description = "The longest command that is accepted, such as 128M; without it 64M.", HelpName = "SIZE" };
    private readonly Option<string?> _maxFile = new("--max-file") { Description = "The largest file whose bytes are read, such as 4T; without it 1T.", HelpName = "SIZE" };
    private readonly Option<bool> _allowUnknown = new("--allow-unknown") { Description = "Take commands and attributes that are not known, or of a newer version than the stream's." };

    public void AddTo(Command command)
    {
        command.Add(_maxCommand);
        if (hasContents)
            command.Add(_maxFile);
        command.Add(_allowUnknown);
    }

    /// <summary>What the options say.</summary>
    /// <exception cref="UsageException">A size is none.</exception>
    public Reading Of(ParseResult args)
    {
        SendStreamLimits limits = new() { AllowUnknown = args.GetValue(_allowUnknown) };
        if (args.GetValue(_maxCommand) is { } command)
            limits = limits with { MaxCommandLength = (int)Math.Min(Quantity.Bytes(command, "--max-command"), SendStreamLimits.LargestMaxCommandLength) };
        if (hasContents && args.GetValue(_maxFile) is { } file)
            limits = limits with { MaxContentSize = Quantity.Bytes(file, "--max-file") };
        return new Reading { Limits = limits, HasLimitOptions = true };
    }
}
