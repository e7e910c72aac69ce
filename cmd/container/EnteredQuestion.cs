using System.Text;
using Layerbox.Nspawn;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>Short questions to a system that runs.</summary>
internal static class EnteredQuestion
{
    private const int AnswerMax = 256 * 1024;

    /// <summary>What the program, run as root, writes to its standard output.</summary>
    public static string Ask(BootedContainer system, IReadOnlyList<string> question)
    {
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
        using (read)
        using (write)
        {
            using RunningContainer running = system.Enter(spec => spec with
            {
                Command = question,
                User = ContainerUser.Root,
                Environment = null,
                WorkingDirectory = "/",
                Timeout = TimeSpan.FromSeconds(30),
                KillGrace = TimeSpan.Zero,
                Terminal = null,
                ForwardedDescriptors = [],
                Input = nothing,
                Output = write,
                Error = nothing,
            });
            write.Dispose();
            using MemoryStream answer = new();
            byte[] buffer = new byte[4096];
            while (Files.Read(read, buffer) is var length and > 0)
            {
                if (answer.Length < AnswerMax)
                    answer.Write(buffer, 0, length);
            }
            running.Wait();
            return Encoding.UTF8.GetString(answer.ToArray());
        }
    }
}
