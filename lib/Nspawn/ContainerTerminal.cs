using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// A terminal of the container's own: the command's controlling one, and each of its standard streams that the description leaves open.
/// It is a pseudo-terminal of the container's /dev/pts; whoever has the other end sees what is written and types.
/// </summary>
/// <param name="Size">What it has before the command starts.</param>
/// <param name="Opened">
/// Gets the other end while <see cref="RunningContainer.Wait"/> waits, before the command starts. Reads of it fail with EIO as long as
/// nobody inside has the terminal open, and for good when the container has ended and all was read.
/// </param>
public sealed record ContainerTerminal(TerminalSize Size, Action<SafeFileHandle> Opened)
{
    /// <summary>For those who ask and no terminal knows.</summary>
    public static readonly TerminalSize DefaultSize = new(24, 80);
}
