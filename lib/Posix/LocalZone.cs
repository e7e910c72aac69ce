namespace Layerbox.Posix;

/// <summary>
/// The time zone of the environment ($TZ, else /etc/localtime) as the C library knows it. Only for what is to look as another program's
/// output does: no product depends on it otherwise.
/// </summary>
public static unsafe class LocalZone
{
    /// <summary>How far local clocks are before UTC at a moment (seconds since 1970), in seconds; null where the C library cannot tell.</summary>
    public static int? OffsetAt(long seconds)
    {
        Libc.Tm tm;
        return Libc.localtime_r(&seconds, &tm) is not null ? (int)tm.GmtOffset : null;
    }
}
