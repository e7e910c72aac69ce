using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Layerbox.Cmd;

/// <summary>What a tool may touch of the world besides files, so that a test can hand it memory.</summary>
internal sealed record Streams(Stream In, Stream Out, TextWriter Err)
{
    public Interruption Interruption { get; init; } = Interruption.ByRequest();

    public bool InIsTerminal { get; init; }

    /// <summary><see cref="In"/> for input that is not text: a terminal is refused.</summary>
    /// <exception cref="UsageException">It is a terminal.</exception>
    public Stream BinaryIn => InIsTerminal ? throw new UsageException("standard input is a terminal: name a file, or pipe something in") : In;

    public bool OutIsTerminal { get; init; }

    /// <summary><see cref="Out"/> for a product that is not text: a terminal is refused.</summary>
    /// <exception cref="UsageException">It is a terminal.</exception>
    public Stream BinaryOut => OutIsTerminal ? throw new UsageException("standard output is a terminal: send it to a file or a pipe") : Out;

    /// <summary><see cref="BinaryOut"/> past its buffer, for a product that is gathered in larger pieces than that.</summary>
    /// <inheritdoc cref="BinaryOut" path="/exception"/>
    public Stream UnbufferedOut
    {
        get
        {
            if (BinaryOut is not BufferedStream buffered)
                return Out;
            buffered.Flush();
            return buffered.UnderlyingStream;
        }
    }

    /// <summary>In the small module: what was read of <see cref="In"/>, for the whole one to read it again.</summary>
    public ReadOnlyMemory<byte> TakenIn { get; set; }

    /// <summary>Columns of the terminal that <see cref="Err"/> is; null when it is none.</summary>
    public int? ErrColumns { get; init; }

    /// <summary>The clock of progress reports; no product ever depends on it.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>
    /// Cancelled by SIGINT, SIGTERM and SIGHUP. Asking for it is a promise to look at it: from then on the first signal does not end the process.
    /// Throw <see cref="OperationCanceledException"/> and clean up on the way out; the dispatcher does the rest.
    /// </summary>
    public CancellationToken Cancellation => Interruption.Token;

    public void WriteLine(string text)
    {
        Out.Write(Encoding.UTF8.GetBytes(text));
        Out.WriteByte((byte)'\n');
    }

    /// <summary>One JSON object on one line, as all our JSON is.</summary>
    public void WriteJsonLine<T>(T value, JsonTypeInfo<T> type)
    {
        JsonSerializer.Serialize(Out, value, type);
        Out.WriteByte((byte)'\n');
    }
}
