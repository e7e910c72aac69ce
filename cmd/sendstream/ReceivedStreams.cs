using Layerbox.Compression;
using Layerbox.Posix;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>
/// The inputs of a tool, received into a set of subvolumes. Contents of files are references to the inputs, so these stay open: a plain
/// file itself, of anything else a copy in a file without a name.
/// </summary>
internal sealed class ReceivedStreams : IDisposable
{
    private readonly List<IDisposable> _open = [];

    private ReceivedStreams(SubvolumeSet set) => Set = set;

    public SubvolumeSet Set { get; }

    /// <summary>Receives inputs one after the other.</summary>
    /// <param name="files">Paths, or - for standard input, which may stand there once.</param>
    /// <param name="io">Where standard input comes from.</param>
    /// <param name="set">Takes the subvolumes; its limits are those of the reading.</param>
    /// <param name="withContents">Whether contents will be read: as long as this is not disposed.</param>
    /// <param name="reading">How the inputs are read.</param>
    /// <exception cref="InvalidDataException">A stream is malformed or impossible: input, offset, command and reason.</exception>
    public static ReceivedStreams Open(IReadOnlyList<string> files, Streams io, SubvolumeSet set, bool withContents, Reading reading)
    {
        InputFile.CheckReadOnce(files);
        ReceivedStreams streams = new(set);
        try
        {
            foreach (string file in files)
                streams.Receive(StreamInput.Open(file, io, reading), withContents, reading);
            return streams;
        }
        catch
        {
            streams.Dispose();
            throw;
        }
    }

    public void Dispose() => _open.ForEach(input => input.Dispose());

    private void Receive(StreamInput input, bool withContents, Reading reading)
    {
        _open.Add(input);
        SendStreamReader reader;
        StreamBytes? bytes = null;
        if (!withContents || input.PlainFile is not null || reading.IsMapped)
        {
            reader = input.NewReader();
            bytes = withContents ? new FileBytes(input.PlainFile!, input.Name) : null;
        }
        else
        {
            SafeFileHandle spool = Files.OpenTemporary(Path.GetTempPath());
            _open.Add(spool);
            bytes = new FileBytes(spool, "the copy of " + input.Name);
            reader = new SendStreamReader(new CopyingStream(input.Bytes, spool), reading.Limits);
        }
        input.Read(() =>
        {
            Set.Receive(reader, bytes);
            return true;
        });
    }

    /// <summary>Puts into a file what is read through it.</summary>
    private sealed class CopyingStream(Stream inner, SafeFileHandle copy) : ReadOnlyStream
    {
        private long _position;

        public override int Read(Span<byte> buffer)
        {
            int count = inner.Read(buffer);
            Files.WriteAt(copy, buffer[..count], _position, Path.GetTempPath());
            _position += count;
            return count;
        }
    }
}
