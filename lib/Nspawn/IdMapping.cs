using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>Maps the users of a new process 1, which waits for that: by writing /proc/PID/uid_map or by the programs that may map more.</summary>
internal static unsafe class IdMapping
{
    /// <exception cref="ContainerException">The system refuses it.</exception>
    public static void Write(KernelPlan* plan, int id)
    {
        string process = string.Create(CultureInfo.InvariantCulture, $"/proc/{id}");
        try
        {
            if (plan->UserMapper is not null)
            {
                Run(Text(plan->UserMapper), id, Text(plan->UserMap));
                Run(Text(plan->GroupMapper), id, Text(plan->GroupMap));
                return;
            }
            // user_namespaces(7): else a group that forbids something to its members could be left.
            if (plan->MaySetGroups == 0)
                WriteFile($"{process}/setgroups", "deny");
            WriteFile($"{process}/uid_map", Text(plan->UserMap));
            WriteFile($"{process}/gid_map", Text(plan->GroupMap));
        }
        catch (Exception e) when (e is PosixException or ProgramException)
        {
            throw new ContainerException($"the users of the container cannot be mapped: {e.Message}");
        }
    }

    private static string Text(byte* text) => PathText.FromBytes(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));

    // One write: the kernel takes a map once and whole.
    private static void WriteFile(string path, string text)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = Files.Open(path, OpenFlags.WriteOnly);
        Files.Write(file, Encoding.ASCII.GetBytes(text), path);
    }

    private static void Run(string program, int id, string map)
    {
        ChildProcess.Run(new ProgramStart(program, [id.ToString(CultureInfo.InvariantCulture), .. map.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)])
        {
            Environment = [],
        }).ThrowIfFailed();
    }
}
