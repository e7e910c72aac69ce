using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>How the command in a container ended.</summary>
/// <param name="Exit">Its own exit status or the signal that ended it.</param>
/// <param name="TimedOut">We killed it because its time was up.</param>
/// <param name="NotStarted">Why it could not be executed; then <paramref name="Exit"/> has the status that shells give.</param>
public sealed record ContainerResult(ProcessExit Exit, bool TimedOut = false, PosixException? NotStarted = null)
{
    public const int TimedOutStatus = 124, NotExecutableStatus = 126, NotFoundStatus = 127;

    /// <summary>
    /// One number: the command's own status unchanged, 128 + signal, 126 or 127 when it could not be executed or found (as env(1) and
    /// chroot(1) have it), 124 when its time was up (as timeout(1) has it).
    /// </summary>
    public int Status => TimedOut ? TimedOutStatus : Exit.ShellStatus;

    /// <summary>The kernel killed something inside because the container's limit of memory was reached.</summary>
    public bool OutOfMemory { get; init; }

    public bool Succeeded => Status == 0;

    internal static ContainerResult CannotExecute(PosixException reason) =>
        new(ProcessExit.Exited(reason.Errno == Errno.ENOENT ? NotFoundStatus : NotExecutableStatus), NotStarted: reason);
}
