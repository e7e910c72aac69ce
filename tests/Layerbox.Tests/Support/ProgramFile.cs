using System.Text;
using Layerbox.Posix;

namespace Layerbox.Tests;

/// <summary>
/// Programs that tests write. Another process writes them: of what is open here for writing a program that another thread is just starting has a copy, and for
/// that moment it cannot be executed ("Text file busy").
/// </summary>
internal static class ProgramFile
{
    public static void Write(string path, byte[] program, string mode = "0755") =>
        ChildProcess.Run(new ProgramStart("sh", "-c", "cat > \"$1\" && chmod \"$2\" \"$1\"", "sh", path, mode), program).ThrowIfFailed();

    public static void Write(string path, string script) => Write(path, Encoding.UTF8.GetBytes(script));
}
