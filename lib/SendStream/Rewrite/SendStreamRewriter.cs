using Layerbox.Compression;

namespace Layerbox.SendStream;

/// <summary>
/// Writes streams anew with something changed, command by command: what a stream is about is not held in memory, so it may be of any
/// size. Several inputs become one output. docs/sendstream-rewrite.md tells what each change means.
/// </summary>
public sealed class SendStreamRewriter : IDisposable
{
    private const long ReportPeriod = 4 << 20;

    private readonly RewriteOptions _options;
    private readonly RewriteStep _first;
    private readonly CompressingOutput? _compressing;

    /// <param name="output">Takes the bytes; is not closed.</param>
    /// <param name="options">What is to be changed.</param>
    public SendStreamRewriter(Stream output, RewriteOptions options)
    {
        _options = options;
        bool isCompressed = options.Compression is WriteCompression.Zlib or WriteCompression.Zstd;
        RewriteStep step = isCompressed ? _compressing = new CompressingOutput(output, NewEncoder, options) : new RewriteOutput(output);
        if (isCompressed || options.JoinWrites)
            step = new WriteJoiner(step);
        if (options.Version is not null || isCompressed)
            step = new VersionStep(step, options.Version, isCompressed ? SendStreamFormat.FirstVersionWithOpenData : 0, options.Limits, Notes);
        if (options.Compression is not null || options.Version < SendStreamFormat.FirstVersionWithOpenData)
            step = new WriteDecoder(step, options.Limits);
        if (options.StripTimes || options.LatestTime is not null)
            step = new TimeStep(step, options.StripTimes ? null : options.LatestTime);
        if (options.Users is not null || options.Groups is not null || options.Owner is not null)
            step = new OwnerStep(step, options.Users ?? IdMap.None, options.Groups ?? IdMap.None, options.Owner);
        if (options.Identity != new SubvolumeIdentity())
            step = new SubvolumeRenamer(step, options.Identity);
        if (options.Only.Count > 0)
            step = new SubvolumeSelection(step, options.Only);
        _first = step;
    }

    /// <summary>What had to be left out so far.</summary>
    public RewriteNotes Notes { get; } = new();

    /// <summary>Writes the streams of an input.</summary>
    /// <param name="reader">One or more streams, back to back.</param>
    /// <param name="report">Told now and then how many bytes were read; may throw to give up.</param>
    /// <exception cref="SendStreamException">The input is malformed, or says what the new form cannot.</exception>
    public void Rewrite(SendStreamReader reader, Action<long>? report = null)
    {
        long reported = 0;
        for (int streams = 0; reader.Read();)
        {
            if (reader.StreamCount != streams)
            {
                streams = reader.StreamCount;
                _first.Begin(reader.Version);
            }
            _first.Take(reader.Command);
            if (reader.Position - reported >= ReportPeriod)
                report?.Invoke(reported = reader.Position);
        }
    }

    /// <summary>Ends the output, after the last input.</summary>
    /// <exception cref="InvalidDataException">Something that was asked for was not in the inputs.</exception>
    public void Complete() => _first.Complete();

    public void Dispose() => _compressing?.Dispose();

    private ExtentEncoder NewEncoder() => (_options.Compression, _options.Level) switch
    {
        (WriteCompression.Zlib, { } level) => ExtentEncoder.Zlib(level),
        (WriteCompression.Zlib, null) => ExtentEncoder.Zlib(),
        (_, { } level) => ExtentEncoder.Zstd(level),
        _ => ExtentEncoder.Zstd(),
    };
}
