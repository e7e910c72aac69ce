using System.Runtime.InteropServices;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>struct rlimit64 (linux/resource.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceLimit
{
    public ulong Soft, Hard;

    /// <summary>
    /// How many files a command may have open: what Linux gives its first process and systemd allows, so that builds do not depend on the
    /// shell that starts them; less where we have less ourselves.
    /// </summary>
    public static unsafe ResourceLimit OpenFiles()
    {
        const int RLIMIT_NOFILE = 7;
        const ulong SoftDefault = 1024, HardDefault = 512 * 1024;
        ResourceLimit own;
        if (Call(prlimit64, 0, RLIMIT_NOFILE, 0, (nint)(&own)) < 0)
            own = new ResourceLimit { Soft = SoftDefault, Hard = SoftDefault };
        return new ResourceLimit { Soft = Math.Min(SoftDefault, own.Hard), Hard = Math.Min(HardDefault, own.Hard) };
    }
}
