namespace Layerbox.SendStream;

/// <summary>Bits of fallocate's mode (linux/falloc.h).</summary>
internal static class FallocateModes
{
    public const uint FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2, FALLOC_FL_ZERO_RANGE = 16;
}
