using System.Buffers.Text;
using System.Runtime.CompilerServices;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>Clones process 1 from this very process, where that is sound.</summary>
internal static unsafe class OwnClone
{
    // The main thread and the runtime's finalizer, which exists from the start; the small module of the executable goes without that.
    private static int ThreadsAtStart => Module.IsWhole ? 2 : 1;

    /// <summary>
    /// Whether no other managed thread can be at work. Before the first collection nothing can be finalized, so the finalizer thread is asleep;
    /// any other thread would be a third one.
    /// </summary>
    public static bool IsSound(ContainerSpec spec)
    {
        if (RuntimeFeature.IsDynamicCodeSupported || GC.CollectionCount(0) != 0 || !IsInPlace(spec.Input, 0) || !IsInPlace(spec.Output, 1) || !IsInPlace(spec.Error, 2))
            return false;
        // Where there is no /proc, nobody else could clone for us either, and the caller knows of no other thread.
        return CurrentProcess.ThreadCount is not { } threads || threads <= ThreadsAtStart;
    }

    // One of our own standard streams in another's place could be overwritten before its turn.
    private static bool IsInPlace(SafeFileHandle? stream, int place) => Number(stream, place) == place || Number(stream, place) > 2;

    public static ChildProcess Start(BuiltinPlan plan, ContainerSpec spec, SafeFileHandle reports, SafeFileHandle control)
    {
        using LoadedPlan loaded = plan.Load();
        (nint commandLine, int length) = CommandLine();
        CloneContext context = new()
        {
            Input = Number(spec.Input, 0),
            Output = Number(spec.Output, 1),
            Error = Number(spec.Error, 2),
            Reports = Number(reports, 0),
            Control = Number(control, 0),
            Forwarded = CloneContext.Numbers([.. spec.ForwardedDescriptors.Select(fd => Number(fd, 0))]),
            Target = Number(spec.Target?.Process, 0),
            CommandLine = (byte*)commandLine,
            CommandLineLength = length,
        };
        ChildProcess.KeepChildren();
        int id = MappedClone.Start(loaded.Plan, &context);
        if (id < 0)
            throw MappedClone.Explain((Errno)(-id), spec);
        new InitReport(InitReport.Kind.Made, id).Send(reports);
        return ChildProcess.Adopt(id, "container");
    }

    private static int Number(SafeFileHandle? fd, int otherwise) => fd is null ? otherwise : (int)fd.DangerousGetHandle();

    // Where the kernel takes /proc/PID/cmdline from: fields 48 and 49 of stat (proc(5)), of which the second may hold spaces and brackets.
    private static (nint Start, int Length) CommandLine()
    {
        const int StartField = 48, TextMax = 1024;
        using SafeFileHandle? file = Files.TryOpen("/proc/self/stat", OpenFlags.ReadOnly);
        if (file is null)
            return (0, 0);
        Span<byte> text = stackalloc byte[TextMax];
        text = text[..Files.Read(file, text, "/proc/self/stat")];
        int at = text.LastIndexOf((byte)')');
        for (int field = 2; field < StartField && at >= 0; field++)
            at = text[(at + 1)..].IndexOf((byte)' ') is var next and >= 0 ? at + 1 + next : -1;
        if (at < 0 || !Utf8Parser.TryParse(text[(at + 1)..], out long start, out int digits) || !Utf8Parser.TryParse(text[(at + digits + 2)..], out long end, out _))
            return (0, 0);
        return start == 0 ? (0, 0) : ((nint)start, (int)(end - start));
    }
}
