using System.Buffers.Binary;
using static Layerbox.SendStream.SendStreamFormat;

namespace Layerbox.SendStream;

/// <summary>
/// Checks the CRCs of many commands at once, on several threads, ahead of who reads them one by one. Whatever is not a whole, good
/// command is left to that reader, who says what is wrong.
/// </summary>
internal sealed class FrameVerifier : IDisposable
{
    /// <summary>What a thread takes at once: it finds the commands of it while the others wait, so it is little work to find and much to check.</summary>
    private const int BatchLength = 256 << 10;

    private readonly Lock _claims = new();
    private readonly SemaphoreSlim _work = new(0), _done = new(0);
    private readonly int _helpers;
    private ReadOnlyMemory<byte> _window;
    private int _claimed;
    private int _good;
    private bool _isInStream;
    private bool _isEnding;

    /// <param name="threads">How many work, the caller's own included.</param>
    public FrameVerifier(int threads)
    {
        _helpers = threads - 1;
        for (int i = 0; i < _helpers; i++)
            new Thread(Help) { IsBackground = true, Name = "crc" }.Start();
    }

    /// <summary>How many bytes from the start of a window are whole commands and headers, and good.</summary>
    /// <param name="window">Begins with a command, or with a header.</param>
    public int Verify(ReadOnlyMemory<byte> window)
    {
        (_window, _isInStream, _claimed, _good) = (window, !window.Span.StartsWith(Magic), 0, int.MaxValue);
        _work.Release(_helpers);
        CheckBatches();
        for (int i = 0; i < _helpers; i++)
            _done.Wait();
        return Math.Min(_good, _claimed);
    }

    public void Dispose()
    {
        _isEnding = true;
        _work.Release(_helpers);
        for (int i = 0; i < _helpers; i++)
            _done.Wait();
        _work.Dispose();
        _done.Dispose();
    }

    private void Help()
    {
        do
        {
            _work.Wait();
            if (!_isEnding)
                CheckBatches();
            _done.Release();
        } while (!_isEnding);
    }

    private void CheckBatches()
    {
        ReadOnlySpan<byte> window = _window.Span;
        while (Claim(window, out int at, out int end, out bool isInStream))
        {
            int begin = at;
            for (; at < end; at = Next(window[..end], at, ref isInStream))
            {
                if (!isInStream || HasGoodCrc(window[at..end]))
                    continue;
                lock (_claims)
                    _good = Math.Min(_good, begin);
                break;
            }
        }
    }

    /// <summary>Takes the next commands that nobody has; says false when there are no whole ones.</summary>
    private bool Claim(ReadOnlySpan<byte> window, out int start, out int end, out bool isInStream)
    {
        lock (_claims)
        {
            (start, end, isInStream) = (_claimed, _claimed, _isInStream);
            for (int next; end - start < BatchLength && (next = Next(window, end, ref _isInStream)) > 0;)
                end = next;
            _claimed = end;
            return end > start;
        }
    }

    private static bool HasGoodCrc(ReadOnlySpan<byte> commands)
    {
        ReadOnlySpan<byte> frame = commands[..(CommandHeaderLength + BinaryPrimitives.ReadInt32LittleEndian(commands))];
        return Crc32C.OfFrame(frame) == BinaryPrimitives.ReadUInt32LittleEndian(frame[(CommandHeaderLength - sizeof(uint))..]);
    }

    /// <summary>The end of the header or command at an offset; 0 when it is not whole, or not what it should be.</summary>
    private static int Next(ReadOnlySpan<byte> window, int at, ref bool isInStream)
    {
        ReadOnlySpan<byte> rest = window[at..];
        if (!isInStream)
        {
            if (rest.Length < HeaderLength || !rest.StartsWith(Magic))
                return 0;
            isInStream = true;
            return at + HeaderLength;
        }
        if (rest.Length < CommandHeaderLength)
            return 0;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest);
        if (length > rest.Length - CommandHeaderLength)
            return 0;
        isInStream = (SendCommandKind)BinaryPrimitives.ReadUInt16LittleEndian(rest[sizeof(uint)..]) != SendCommandKind.End;
        return at + CommandHeaderLength + (int)length;
    }
}
