namespace Layerbox.Compression;

/// <summary>A native decoder of one format: fed pieces of input, gives pieces of output; knows no stream and no offset.</summary>
internal abstract class Decoder : IDisposable
{
    /// <summary>The format's name in messages.</summary>
    public abstract string Format { get; }

    /// <summary>How many zero bytes must stand together between members to be padding and not garbage; 0 when the format has no padding.</summary>
    public virtual int PaddingUnit => 0;

    /// <summary>Whether a new member may start with these bytes, which are fewer than <see cref="Magic.Longest"/> only at the very end.</summary>
    public abstract bool IsStart(ReadOnlySpan<byte> bytes);

    /// <summary>Makes ready for the next member.</summary>
    public abstract void Start();

    /// <summary>Decodes a piece. Says true when the member ended with the bytes it consumed.</summary>
    /// <exception cref="InvalidDataException">The data is corrupt; the message is the reason alone.</exception>
    public abstract bool Decode(ReadOnlySpan<byte> input, Span<byte> output, out int consumed, out int produced);

    public abstract void Dispose();
}

/// <summary>A native encoder of one format, for blocks that become whole members. Its output depends on the block and the level alone.</summary>
internal abstract class BlockEncoder : IDisposable
{
    /// <summary>As large as any output for this much input can be.</summary>
    public abstract int MaxOutput(int blockSize);

    /// <summary>Encodes a block as one member; gives the length of the output.</summary>
    public abstract int Encode(ReadOnlySpan<byte> block, Span<byte> output);

    public abstract void Dispose();
}
