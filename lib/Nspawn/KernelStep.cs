using System.Runtime.InteropServices;

namespace Layerbox.Nspawn;

/// <summary>
/// One system call of a plan: numbers and addresses only, so that it can be made where no managed code may allocate or throw.
/// 64 bytes, laid out the same on both sides of a pipe.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KernelStep
{
    public const int ArgumentCount = 6, RegisterCount = 256;

    /// <summary>Holds <see cref="CloneContext.Target"/> from the start.</summary>
    public const int TargetRegister = RegisterCount - 1;

    /// <summary>In place of a call: sends a report with a descriptor. Arguments: the kind, the descriptor.</summary>
    public const int Tell = -1;

    public int Call;

    /// <summary>Where the result is kept for later steps; 0: nowhere.</summary>
    public byte Result;

    /// <summary>An error number that is as good as success; 0: none.</summary>
    public byte Tolerated;

    /// <summary>How many steps are left out when that error came.</summary>
    public byte SkippedWhenTolerated;

    /// <summary>How many steps are left out when the call succeeded.</summary>
    public byte SkippedWhenDone;

    /// <summary>Bit N: argument N is the number of a register.</summary>
    public ulong FromRegister;

    public fixed long Arguments[ArgumentCount];
}

/// <summary>What stands at the start of a plan in memory. Pointers lead into the same block.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct KernelPlan
{
    /// <summary>Flags of clone3(2).</summary>
    public ulong CloneFlags;

    /// <summary>What process 1 does before it starts the command.</summary>
    public KernelStep* Setup;

    public long SetupCount;

    /// <summary>The number by which failures of the first of them are told: others may come before it.</summary>
    public long FirstStep;

    /// <summary>What whoever clones does for process 1 when that exists (see <see cref="Nspawn.OuterSteps"/>).</summary>
    public KernelStep* OuterSteps;

    public long OuterStepCount;

    /// <summary>Room that <see cref="OuterSteps"/> find the number of process 1 in, as text.</summary>
    public byte* Process1;

    /// <summary>What the command's own process does before it becomes the command.</summary>
    public KernelStep* Enter;

    public long EnterCount;

    /// <summary>Not 0: the command is to be process 1 itself, and the launcher watches it.</summary>
    public long IsInit;

    /// <summary>
    /// Folders of control groups that the launcher removes, with all below them, when everything inside has ended and the tool has let go of the
    /// container or is gone, so that nothing stays behind however the tool ended; ends with null.
    /// </summary>
    public byte** CgroupTrees;

    /// <summary>Where the program may be, in order; ends with null.</summary>
    public byte** Programs;

    public byte** Arguments, Environment;

    /// <summary>Not 0: process 1 starts the command when a byte comes on the control pipe.</summary>
    public long IsHeld;

    /// <summary>How many descriptors the command gets besides the standard streams: 3, 4, and so on.</summary>
    public long ForwardedCount;

    /// <summary>
    /// The lines of /proc/PID/uid_map and gid_map of a user namespace, which process 1 waits for; null: it has the users of the host.
    /// </summary>
    public byte* UserMap, GroupMap;

    /// <summary>Not 0: groups of the command can be set, because nobody leaves one by it that forbids something.</summary>
    public long MaySetGroups;

    /// <summary>What whoever clones opens for process 1.</summary>
    public OuterMount* Outer;

    public long OuterCount;

    /// <summary>The programs that write them; null: whoever clones may do so itself.</summary>
    public byte* UserMapper, GroupMapper;

    /// <summary>Where in the environment the command's own number is to stand, in digits; null: nowhere.</summary>
    public byte* ListenPid;
}

/// <summary>The descriptors and memory of the process that clones, which are not in the plan because they depend on who clones.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct CloneContext
{
    public int Input, Output, Error, Reports, Control;

    /// <summary>With a <see cref="KernelPlan.UserMap"/>: a socket on which a byte comes when the users are mapped, and with it <see cref="KernelPlan.Outer"/>; and its other end.</summary>
    public int Mapped, MappedEnd;

    /// <summary>The <see cref="KernelPlan.ForwardedCount"/> descriptors that the command gets, wherever they are now. Moved by the child.</summary>
    public int* Forwarded;

    /// <summary>Memory that does not move, for <see cref="Forwarded"/>; never given back.</summary>
    public static int* Numbers(ReadOnlySpan<int> numbers)
    {
        int* copy = (int*)NativeMemory.Alloc((nuint)numbers.Length + 1, sizeof(int));
        numbers.CopyTo(new Span<int>(copy, numbers.Length));
        return copy;
    }
    /// <summary>A descriptor of the process whose container is to be entered; 0: none.</summary>
    public int Target;

    /// <summary>Our own command line, which nobody inside is to read in /proc/1/cmdline.</summary>
    public byte* CommandLine;

    public long CommandLineLength;
}
