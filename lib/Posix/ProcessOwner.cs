namespace Layerbox.Posix;

/// <summary>As whom this process runs.</summary>
public static class ProcessOwner
{
    public static uint EffectiveUid => Libc.geteuid();

    public static uint EffectiveGid => Libc.getegid();
}
