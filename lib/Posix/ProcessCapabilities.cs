using System.Globalization;
using System.Text;

namespace Layerbox.Posix;

/// <summary>Which of root's privileges this process has (capabilities(7)), so that errors can name the one that is missing before harm is done.</summary>
public static class ProcessCapabilities
{
    // linux/capability.h
    private const int CAP_SYS_ADMIN = 21;

    /// <summary>May mount, attach loop devices and administer a filesystem. In a user namespace the kernel may still refuse.</summary>
    public static bool HasSysAdmin() => (Effective() >> CAP_SYS_ADMIN & 1) != 0;

    private static ulong Effective()
    {
        const string Field = "CapEff:";
        foreach (string line in Encoding.ASCII.GetString(WholeFile.Read("/proc/thread-self/status")).Split('\n'))
        {
            if (line.StartsWith(Field, StringComparison.Ordinal))
                return ulong.Parse(line.AsSpan(Field.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        }
        return 0;
    }
}
