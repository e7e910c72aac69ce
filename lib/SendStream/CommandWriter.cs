namespace Layerbox.SendStream;

/// <summary>Writes what is in send streams in a form for people or programs, command by command, in the order of the input.</summary>
public abstract class CommandWriter
{
    /// <summary>Writes all commands of an input.</summary>
    /// <param name="reader">Where they come from.</param>
    /// <param name="onlyFirst">Whether to stop at the first end command, and not look at what is behind it.</param>
    /// <exception cref="SendStreamException">The input is malformed; what came before it has been written.</exception>
    public void WriteAll(SendStreamReader reader, bool onlyFirst = false)
    {
        try
        {
            int streams = 0;
            while (reader.Read())
            {
                if (reader.StreamCount > streams)
                {
                    streams = reader.StreamCount;
                    BeginStream(reader.Version, reader.Command.Offset - SendStreamFormat.HeaderLength);
                }
                Write(reader.Command);
                if (onlyFirst && reader.Command.Kind == SendCommandKind.End)
                    break;
            }
            End(reader.Position);
        }
        finally
        {
            Flush();
        }
    }

    /// <summary>A stream's header was read.</summary>
    /// <param name="version">The version that it tells.</param>
    /// <param name="offset">Where it begins in the input, in bytes.</param>
    protected abstract void BeginStream(uint version, long offset);

    protected abstract void Write(SendCommand command);

    /// <summary>All was read, and good.</summary>
    /// <param name="length">Of what was read, in bytes.</param>
    protected virtual void End(long length) { }

    /// <summary>Writes out what was kept back.</summary>
    protected abstract void Flush();
}
