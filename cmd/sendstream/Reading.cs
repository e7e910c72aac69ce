using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>How a tool reads its inputs.</summary>
internal sealed record Reading
{
    /// <summary>What is put up with.</summary>
    public SendStreamLimits Limits { get; init; } = SendStreamLimits.Default;

    /// <summary>Whether the tool has options for the limits, which messages may name.</summary>
    public bool HasLimitOptions { get; init; }

    /// <summary>Whether files are mapped.</summary>
    public bool IsMapped { get; init; }

    /// <summary>How many threads check the CRCs of mapped files.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Is told how much of an input was read; null: nobody is.</summary>
    public Progress? Progress { get; init; }

    /// <summary>What is being done, for progress reports.</summary>
    public string Verb { get; init; } = "reading";

    /// <summary>What to do when a stream builds upon a subvolume that is not there; null where it is not looked for.</summary>
    public string? ParentAdvice { get; init; } = "name its streams before this one";

    /// <summary>What it means that a path is not there, or is, when the state that the stream builds upon was taken on trust.</summary>
    public string? StateAdvice { get; init; }

    /// <summary>What is wrong with an input, after its name and with advice.</summary>
    public InvalidDataException Error(string input, Exception e)
    {
        string? advice = e is SendStreamException { Fault: var fault } ? AdviceOn(fault) : null;
        return new InvalidDataException($"{input}: {e.Message}{(advice is null ? "" : ": " + advice)}", e);
    }

    /// <summary>What to do about a fault, where that is not obvious; null where there is nothing to say.</summary>
    private string? AdviceOn(SendStreamFault fault) => fault switch
    {
        SendStreamFault.CommandTooLong when HasLimitOptions => "--max-command accepts longer ones",
        SendStreamFault.CommandUnknown or SendStreamFault.AttributeUnknown or SendStreamFault.CommandOfNewerVersion when HasLimitOptions => "--allow-unknown accepts it",
        SendStreamFault.Restarted => "sendstream-rewrite --repair leaves out what was cut",
        SendStreamFault.NoData => "send it again with its data",
        SendStreamFault.NotASendStream => "btrfs send and sendstream-make write such",
        SendStreamFault.NotFound or SendStreamFault.Exists => StateAdvice,
        SendStreamFault.ParentUnknown => ParentAdvice,
        SendStreamFault.CloneSourceUnknown when ParentAdvice is not null => "name its streams before this one",
        _ => null,
    };
}
