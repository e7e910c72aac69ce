namespace Layerbox.SendStream;

/// <summary>
/// The paths that are brought most bytes by commands that follow each other, as the kernel sends a file: all of them are never known at once.
/// </summary>
/// <param name="count">How many are kept.</param>
internal sealed class LargestPaths(int count)
{
    private readonly List<(byte[] Path, ulong Bytes)> _kept = [];
    private byte[] _current = [];
    private int _currentLength;
    private ulong _bytes;

    public void Add(ReadOnlySpan<byte> path, ulong bytes)
    {
        if (!path.SequenceEqual(_current.AsSpan(0, _currentLength)))
        {
            Keep();
            if (_current.Length < path.Length)
                _current = new byte[path.Length];
            path.CopyTo(_current);
            (_currentLength, _bytes) = (path.Length, 0);
        }
        _bytes += bytes;
    }

    /// <summary>Largest first.</summary>
    public IReadOnlyList<(byte[] Path, ulong Bytes)> Sorted()
    {
        Keep();
        return _kept;
    }

    private void Keep()
    {
        ReadOnlySpan<byte> path = _current.AsSpan(0, _currentLength);
        if (count == 0 || _bytes == 0 || (_kept.Count == count && _kept[^1].Bytes >= _bytes))
            return;
        if (_kept.Count == count)
            _kept.RemoveAt(count - 1);
        int at = _kept.Count;
        while (at > 0 && _kept[at - 1].Bytes < _bytes)
            at--;
        _kept.Insert(at, (path.ToArray(), _bytes));
        _bytes = 0;
    }
}
