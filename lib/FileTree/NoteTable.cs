using System.Text;

namespace Layerbox.FileTree;

/// <summary>Notes on who made a path repeat over thousands of paths, mostly in a row: one string each will do.</summary>
internal sealed class NoteTable
{
    private readonly HashSet<string> _notes = new(StringComparer.Ordinal);
    private byte[] _lastBytes = [];
    private string _last = "";

    /// <summary>The bytes, which are UTF-8, as text; the same object for the same text.</summary>
    public string Share(ReadOnlySpan<byte> utf8)
    {
        if (utf8.SequenceEqual(_lastBytes))
            return _last;
        string note = Encoding.UTF8.GetString(utf8);
        if (!_notes.Add(note))
            _notes.TryGetValue(note, out note!);
        (_lastBytes, _last) = (utf8.ToArray(), note);
        return note;
    }
}
