using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Layerbox.SendStream;

/// <summary>What the tables of a check are made of.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 4)]
internal struct CheckedEntry
{
    public ulong Word;
    public uint Half;
}

/// <summary>
/// Memory for the tables of a check, in pages: a fixed number of them is held, the others, those that were not used for longest, are in a
/// spool. Without a spool all are held. It is not the collector's memory: that would take twice as much.
/// </summary>
/// <param name="maxHeld">How many pages are held; at least 2.</param>
/// <param name="open">Opens the spool, when it is needed first; null when there is none.</param>
internal sealed unsafe class CheckedPages(int maxHeld, Func<CheckSpool>? open) : IDisposable
{
    /// <summary>Entries of a page, which has 6 KiB: small, as what is looked for lies anywhere.</summary>
    public const int Length = 512;

    private const int FramesPerBlock = 128, NeverStored = -1, Stored = -2;

    private readonly List<int> _frameOf = []; // by page
    private readonly List<Frame> _frames = [];
    private readonly List<nint> _blocks = [];
    private CheckSpool? _spool;
    private int _hand;

    ~CheckedPages() => Release();

    /// <summary>A new page, of zeros.</summary>
    public int Add()
    {
        _frameOf.Add(NeverStored);
        return _frameOf.Count - 1;
    }

    /// <summary>The entries of a page. Good until another page is asked for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<CheckedEntry> Get(int page, bool isChanged)
    {
        int at = _frameOf[page];
        if (at < 0)
            at = Load(page);
        ref Frame frame = ref CollectionsMarshal.AsSpan(_frames)[at];
        frame.IsUsed = true;
        frame.IsChanged |= isChanged;
        return frame.Entries;
    }

    public void Dispose()
    {
        _spool?.Dispose();
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        foreach (nint block in _blocks)
            NativeMemory.Free((void*)block);
        _blocks.Clear();
        _frames.Clear();
        _frameOf.Clear();
    }

    private int Load(int page)
    {
        bool isNew = _frames.Count < maxHeld || open is null;
        int at = isNew ? AddFrame() : Free();
        ref Frame frame = ref CollectionsMarshal.AsSpan(_frames)[at];
        frame.IsStored = _frameOf[page] == Stored;
        if (frame.IsStored)
            _spool!.ReadAt(OffsetOf(page), MemoryMarshal.AsBytes(frame.Entries));
        else if (!isNew)
            frame.Entries.Clear();
        (frame.Page, frame.IsChanged) = (page, false);
        _frameOf[page] = at;
        return at;
    }

    // Memory is taken as it is used: what is asked for in one large piece costs nothing before.
    private int AddFrame()
    {
        int at = _frames.Count;
        if (at % FramesPerBlock == 0)
            _blocks.Add((nint)NativeMemory.AllocZeroed(FramesPerBlock * Length, (nuint)sizeof(CheckedEntry)));
        _frames.Add(new Frame((CheckedEntry*)_blocks[^1] + (at % FramesPerBlock * Length)));
        return at;
    }

    // Second chance: the hand goes round, and takes what was not used since it last came by.
    private int Free()
    {
        Span<Frame> frames = CollectionsMarshal.AsSpan(_frames);
        while (frames[_hand].IsUsed)
        {
            frames[_hand].IsUsed = false;
            _hand = (_hand + 1) % frames.Length;
        }
        ref Frame frame = ref frames[_hand];
        if (frame.IsChanged)
            (_spool ??= open!()).WriteAt(OffsetOf(frame.Page), MemoryMarshal.AsBytes(frame.Entries));
        // What was never changed since it was all zeros is so again when it is asked for.
        _frameOf[frame.Page] = frame.IsChanged || frame.IsStored ? Stored : NeverStored;
        return _hand;
    }

    private static long OffsetOf(int page) => (long)page * Length * sizeof(CheckedEntry);

    private struct Frame(CheckedEntry* entries)
    {
        public int Page;
        public bool IsUsed, IsChanged, IsStored;

        public readonly Span<CheckedEntry> Entries => new(entries, Length);
    }
}

/// <summary>A growing array of entries in pages.</summary>
internal sealed class CheckedEntries(CheckedPages pages)
{
    private readonly List<int> _pages = [];

    public long Count { get; private set; }

    public CheckedEntry this[long index]
    {
        get => PageOf(index, isChanged: false)[(int)((ulong)index % CheckedPages.Length)];
        set => PageOf(index, isChanged: true)[(int)((ulong)index % CheckedPages.Length)] = value;
    }

    /// <summary>The whole page that an entry is in. Good until another one is asked for.</summary>
    public Span<CheckedEntry> PageOf(long index, bool isChanged) => pages.Get(_pages[(int)((ulong)index / CheckedPages.Length)], isChanged);

    /// <summary>Makes room for so many entries more, of zeros.</summary>
    public void Grow(long count)
    {
        Count += count;
        while ((long)_pages.Count * CheckedPages.Length < Count)
            _pages.Add(pages.Add());
    }
}
