using System.Runtime.InteropServices;

namespace Layerbox.Tests.Btrfs;

/// <summary>Runs code as "nobody": on a thread of its own, since to the kernel users are a matter of threads.</summary>
internal static partial class Unprivileged
{
    private const nint SYS_setresuid = 117;
    private const nint Nobody = 65534, Unchanged = -1;

    public static void Run(Action action)
    {
        Exception? thrown = null;
        Thread thread = new(() =>
        {
            if (syscall(SYS_setresuid, Unchanged, Nobody, Unchanged) != 0)
                throw new InvalidOperationException("setresuid failed");
            thrown = Record.Exception(action);
        });
        thread.Start();
        thread.Join();
        if (thrown is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(thrown);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint real, nint effective, nint saved);
}
