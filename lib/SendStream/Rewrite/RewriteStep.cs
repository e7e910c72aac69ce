namespace Layerbox.SendStream;

/// <summary>
/// One change to streams that pass by, command by command: a step takes a command and hands on none, one or many. Steps are
/// put together by giving each the next one; what a step does not care about it hands on as it is.
/// </summary>
internal abstract class RewriteStep(RewriteStep? next)
{
    /// <summary>The version of the stream that this step hands on.</summary>
    protected uint Version { get; private set; }

    /// <summary>A stream's header.</summary>
    public virtual void Begin(uint version)
    {
        Version = version;
        next!.Begin(version);
    }

    /// <summary>A command; it is valid during the call only.</summary>
    public virtual void Take(SendCommand command) => next!.Take(command);

    /// <summary>The input has ended, as it should.</summary>
    public virtual void Complete() => next!.Complete();
}

/// <summary>The last step: writes the commands.</summary>
internal sealed class RewriteOutput(Stream output) : RewriteStep(null)
{
    private SendStreamWriter? _writer;

    public override void Begin(uint version)
    {
        if (_writer is null)
            _writer = new SendStreamWriter(output, version);
        else
            _writer.BeginStream(version);
    }

    public override void Take(SendCommand command) => _writer!.Copy(command);

    public override void Complete() => _writer?.Flush();
}
