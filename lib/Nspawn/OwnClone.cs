using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>Clones process 1 from this very process, where that is sound.</summary>
internal static unsafe class OwnClone
{
    // The main thread and the runtime's finalizer, which exists from the start.
    private const int ThreadsAtStart = 2;

    /// <summary>
    /// Whether no other managed thread can be at work. Before the first collection nothing can be finalized, so the finalizer thread is asleep;
    /// any other thread would be a third one.
    /// </summary>
    public static bool IsSound(ContainerSpec spec)
    {
        if (RuntimeFeature.IsDynamicCodeSupported || GC.CollectionCount(0) != 0 || !IsInPlace(spec.Input, 0) || !IsInPlace(spec.Output, 1) || !IsInPlace(spec.Error, 2))
            return false;
        try
        {
            using SafeFileHandle tasks = Files.Open("/proc/self/task", OpenFlags.ReadOnly | OpenFlags.Directory);
            return Directories.List(tasks).Count <= ThreadsAtStart;
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            // No /proc: nobody else could clone for us either, and the caller knows of no other thread.
            return true;
        }
    }

    // One of our own standard streams in another's place could be overwritten before its turn.
    private static bool IsInPlace(SafeFileHandle? stream, int place) => Number(stream, place) == place || Number(stream, place) > 2;

    public static ChildProcess Start(BuiltinPlan plan, ContainerSpec spec, SafeFileHandle reports, SafeFileHandle control)
    {
        using LoadedPlan loaded = LoadedPlan.Read(new MemoryStream(plan.Bytes))!;
        (nint commandLine, int length) = Files.Exists("/proc/self/stat") ? CommandLine() : (0, 0);
        CloneContext context = new()
        {
            Input = Number(spec.Input, 0),
            Output = Number(spec.Output, 1),
            Error = Number(spec.Error, 2),
            Reports = Number(reports, 0),
            Control = Number(control, 0),
            Forwarded = CloneContext.Numbers([.. spec.ForwardedDescriptors.Select(fd => Number(fd, 0))]),
            CommandLine = (byte*)commandLine,
            CommandLineLength = length,
        };
        ChildProcess.KeepChildren();
        int id = ContainerChild.Start(loaded.Plan, &context);
        if (id > 0)
            new InitReport(InitReport.Kind.Made, id).Send(reports);
        return id >= 0 ? ChildProcess.Adopt(id, "container") : throw new PosixException("clone", (Errno)(-id), spec.Root);
    }

    private static int Number(SafeFileHandle? fd, int otherwise) => fd is null ? otherwise : (int)fd.DangerousGetHandle();

    // Where the kernel takes /proc/PID/cmdline from: fields 48 and 49 of stat (proc(5)).
    private static (nint Start, int Length) CommandLine()
    {
        const int FieldsBeforeName = 2, StartField = 48;
        string text = Encoding.ASCII.GetString(WholeFile.Read("/proc/self/stat"));
        string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        const int Start = StartField - FieldsBeforeName - 1;
        if (fields.Length <= Start + 1)
            return (0, 0);
        nint start = nint.Parse(fields[Start], CultureInfo.InvariantCulture), end = nint.Parse(fields[Start + 1], CultureInfo.InvariantCulture);
        return (start, start == 0 ? 0 : (int)(end - start));
    }
}
