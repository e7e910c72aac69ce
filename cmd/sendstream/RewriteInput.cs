using Layerbox.Posix;
using Layerbox.SendStream;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Sendstream;

/// <summary>What sendstream-rewrite reads: files one after another, perhaps repaired, or the parts of a list.</summary>
internal sealed class RewriteInput
{
    private readonly IReadOnlyList<string> _files;
    private readonly bool _isJoined;
    private readonly bool _isRepaired;
    private readonly Reading _reading;
    private readonly string? _progressMode;
    private readonly Streams _io;

    /// <exception cref="UsageException">The options do not go together.</exception>
    public RewriteInput(IReadOnlyList<string> files, bool isJoined, bool isRepaired, Reading reading, string? progressMode, Streams io)
    {
        if (reading.IsMapped && (isJoined || isRepaired))
            throw new UsageException($"{(isJoined ? "--join" : "--repair")} reads what cannot be mapped: leave --mapped and --threads out");
        if (isJoined && (isRepaired || files is not [not InputFile.StandardInput]))
            throw new UsageException(isRepaired ? "--join and --repair: one after the other, by a pipe" : "--join needs the path of one list of parts");
        InputFile.CheckReadOnce(files);
        (_files, _isJoined, _isRepaired, _reading, _progressMode, _io) = (files, isJoined, isRepaired, reading, progressMode, io);
    }

    /// <summary>Whether the inputs are read as they are.</summary>
    public bool IsPlain => !_isJoined && !_isRepaired;

    /// <summary>Receives all inputs, for what reads them again.</summary>
    public void Receive(Action<SubvolumeSet> use)
    {
        using Progress progress = Progress.Start(_io, _progressMode);
        using ReceivedStreams streams = ReceivedStreams.Open(_files, _io, new SubvolumeSet(_reading.Limits), withContents: true, _reading with { Progress = progress });
        ContentErrors.Name(streams.Set, _reading, () => use(streams.Set));
    }

    /// <summary>Hands each input to who reads it.</summary>
    /// <param name="what">What is being done, for progress reports.</param>
    /// <param name="read">Takes the commands, and what is to be told now and then how many bytes were read.</param>
    public void ForEach(string what, Action<SendStreamReader, Action<long>> read)
    {
        using Progress progress = Progress.Start(_io, _progressMode);
        Action<long> report = Report(progress, what);
        if (_isJoined)
        {
            using PartsInput parts = new(_files[0]);
            try
            {
                read(new SendStreamReader(parts, _reading.Limits), report);
            }
            catch (SendStreamException e)
            {
                throw _reading.Error(_files[0], e);
            }
            return;
        }
        foreach (string file in _files)
        {
            using StreamInput input = StreamInput.Open(file, _io, _reading with { ParentAdvice = null });
            input.Read(() =>
            {
                if (!_isRepaired)
                    read(input.NewReader(), report);
                else
                    ReadRepaired(input, progress, stream => read(new SendStreamReader(stream, _reading.Limits), report));
                return true;
            });
        }
    }

    private Action<long> Report(Progress progress, string what)
    {
        CancellationToken cancellation = _io.Cancellation;
        return done =>
        {
            progress.Report(what, done);
            cancellation.ThrowIfCancellationRequested();
        };
    }

    private void ReadRepaired(StreamInput input, Progress progress, Action<Stream> read)
    {
        using SafeFileHandle? copy = input.PlainFile is null ? Copy(input.Bytes, Report(progress, "copying")) : null;
        SafeFileHandle file = copy ?? input.PlainFile!;
        StreamRepair repair = StreamRepair.Of(new FileBytes(file, input.Name), Files.Status(file).Size, _reading.Limits, Report(progress, "checking"));
        foreach (StreamRange dropped in repair.Dropped)
            _io.Err.WriteLine($"sendstream-rewrite: {input.Name}: offset {dropped.Start}: left out {dropped.Length} bytes: the sender was stopped and started over");
        using Stream stream = repair.Open();
        read(stream);
    }

    /// <summary>All bytes in a file without a name, which is gone when it is closed.</summary>
    private static SafeFileHandle Copy(Stream bytes, Action<long> report)
    {
        string folder = Path.GetTempPath();
        SafeFileHandle file = Files.OpenTemporary(folder);
        byte[] buffer = new byte[1 << 20];
        long done = 0;
        for (int count; (count = bytes.Read(buffer)) > 0; report(done += count))
            Files.Write(file, buffer.AsSpan(0, count), folder);
        return file;
    }
}
