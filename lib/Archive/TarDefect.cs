namespace Layerbox.Archive;

/// <summary>
/// What is wrong with an archive, without the place: the reader knows offset and member and makes an
/// <see cref="InvalidDataException"/> of both. An own type, so that errors of the stream and the store pass through untouched.
/// </summary>
internal sealed class TarDefect(string reason, long? offset = null) : Exception(reason)
{
    /// <summary>Where it was noticed, when that is not the header of the member.</summary>
    public long? Offset => offset;
}
