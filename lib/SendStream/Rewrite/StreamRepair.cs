using Fault = Layerbox.SendStream.SendStreamFault;

namespace Layerbox.SendStream;

/// <summary>
/// What of an input is whole when its sender was stopped and started over: a `btrfs send` that is stopped by a signal and continued writes
/// a cut stream and the complete one behind it, and exits with 0 (btrfs-progs #719, #1063). The new beginning is known by its bytes, header and first
/// command with uuid and CRC, and all that is kept was read and checked: nothing that only looks like a header is believed.
/// </summary>
public sealed class StreamRepair
{
    private const int WindowLength = 1 << 20;

    private readonly StreamBytes _bytes;
    private readonly long _length;
    private readonly SendStreamLimits _limits;
    private readonly Action<long>? _report;
    private readonly List<StreamRange> _kept = [];
    private readonly List<StreamRange> _dropped = [];

    private StreamRepair(StreamBytes bytes, long length, SendStreamLimits limits, Action<long>? report) =>
        (_bytes, _length, _limits, _report) = (bytes, length, limits, report);

    /// <summary>What to keep, in order.</summary>
    public IReadOnlyList<StreamRange> Kept => _kept;

    /// <summary>What to leave out: the cut beginnings.</summary>
    public IReadOnlyList<StreamRange> Dropped => _dropped;

    /// <summary>Reads and checks all of an input.</summary>
    /// <param name="bytes">The input.</param>
    /// <param name="length">Its length.</param>
    /// <param name="limits">What the reader puts up with.</param>
    /// <param name="report">Told now and then how many bytes were read; may throw to give up.</param>
    /// <exception cref="InvalidDataException">It is damaged in another way: offset and reason.</exception>
    public static StreamRepair Of(StreamBytes bytes, long length, SendStreamLimits? limits = null, Action<long>? report = null)
    {
        StreamRepair repair = new(bytes, length, limits ?? SendStreamLimits.Default, report);
        repair.Read();
        return repair;
    }

    /// <summary>What is kept, as one stream of bytes.</summary>
    public Stream Open() => new RangeStream(_bytes, _kept);

    private void Read()
    {
        StreamRange? header = null; // of a stream that goes on in what is read next
        for (long start = 0; ;)
        {
            Pass pass = new(header, start);
            if (TryRead(pass) is not { } fault)
            {
                _kept.Add(new StreamRange(start, _length - start));
                return;
            }
            long broken = pass.Place(fault.Offset), next = pass.Beginning is { Length: > 0 } ? Find(ReadBytes(pass.Beginning), broken) : -1;
            if (next < 0)
            {
                string said = start == 0 ? fault.Message : $"offset {broken}: {fault.Reason}"; // the reader counts from where it began
                throw new InvalidDataException($"{said}; nothing behind it begins the subvolume anew, so it cannot be repaired", fault);
            }
            if (pass.Beginning.Start > start)
                _kept.Add(new StreamRange(start, pass.Beginning.Start - start));
            _dropped.Add(new StreamRange(pass.Beginning.Start, next - pass.Beginning.Start));
            header = pass.BeginsWithHeader ? null : pass.Header;
            start = next;
        }
    }

    /// <summary>Reads from a place on to the end; gives what went wrong with the frames.</summary>
    private SendStreamException? TryRead(Pass pass)
    {
        using RangeStream stream = new(_bytes, pass.Header is { } header ? [header, new StreamRange(pass.Start, _length - pass.Start)] : [new StreamRange(pass.Start, _length - pass.Start)]);
        SendStreamReader reader = new(stream, _limits);
        int streams = 0;
        long before = 0, reported = 0;
        try
        {
            while (reader.Read())
            {
                SendCommandKind kind = reader.Command.Kind;
                if (reader.StreamCount != streams)
                    pass.Header = pass.Header is { } known && before == 0 ? known : new StreamRange(pass.Place(before), SendStreamFormat.HeaderLength);
                if (kind is SendCommandKind.Subvol or SendCommandKind.Snapshot)
                    pass.Begin(before, reader.Position, hasHeader: reader.StreamCount != streams);
                else if (kind == SendCommandKind.End)
                    pass.Beginning = default;
                streams = reader.StreamCount;
                before = reader.Position;
                if (before - reported >= WindowLength)
                    _report?.Invoke(reported = before);
            }
            return null;
        }
        catch (SendStreamException e) when (e.Fault is Fault.Restarted or Fault.CrcMismatch or Fault.CommandCut or Fault.CommandTooLong)
        {
            if (reader.StreamCount != streams) // not even its first command is whole
                pass.Begin(before, before + SendStreamFormat.HeaderLength, hasHeader: true);
            return e;
        }
    }

    private byte[] ReadBytes(StreamRange range)
    {
        byte[] bytes = new byte[range.Length];
        _bytes.ReadAt(range.Start, bytes);
        return bytes;
    }

    /// <summary>Where some bytes are found at or after a place; -1 when nowhere.</summary>
    private long Find(ReadOnlySpan<byte> wanted, long from)
    {
        byte[] window = new byte[WindowLength + wanted.Length];
        for (long at = from; at < _length; at += WindowLength)
        {
            Span<byte> part = window.AsSpan(0, (int)Math.Min(window.Length, _length - at));
            _bytes.ReadAt(at, part);
            if (part.IndexOf(wanted) is var found and >= 0)
                return at + found;
            _report?.Invoke(at);
        }
        return -1;
    }

    /// <summary>One reading, from a place on. Offsets that the reader tells count the header that was put before it.</summary>
    private sealed class Pass(StreamRange? header, long start)
    {
        private readonly long _shift = start - (header?.Length ?? 0);

        public long Start => start;

        /// <summary>The header of the stream that is being read.</summary>
        public StreamRange? Header { get; set; } = header;

        /// <summary>The bytes that the subvolume being read begins with: those that come again when the sender starts over.</summary>
        public StreamRange Beginning { get; set; }

        /// <summary>Whether the header is among them. It is not where a further subvolume shares it ("btrfs send -e").</summary>
        public bool BeginsWithHeader { get; private set; }

        public long Place(long offset) => Math.Max(offset + _shift, start);

        public void Begin(long from, long to, bool hasHeader)
        {
            long place = Place(from);
            Beginning = new StreamRange(place, to + _shift - place);
            BeginsWithHeader = hasHeader && from + _shift >= start;
        }
    }
}
