using System.Buffers.Binary;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>The descriptors that the guard and the init of a container are started with.</summary>
internal static class ContainerDescriptors
{
    /// <summary>The command's standard streams, kept apart from systemd-nspawn's own.</summary>
    public const int Input = 3, Output = 4, Error = 5;

    /// <summary>Socket from the init: <see cref="InitReport"/> messages.</summary>
    public const int Reports = 6;

    /// <summary>Pipe to the init: a <see cref="KernelPlan"/>, then a byte for each signal to pass on. Its end means that we are gone.</summary>
    public const int Control = 7;

    /// <summary>The executable that the init is run from.</summary>
    public const int Executable = 8;

    public const int Count = 6;

    /// <summary>Those that the command gets besides its standard streams come after ours.</summary>
    public const int FirstForwarded = Input + Count;
}

/// <summary>What the init tells: a message with a byte for the kind and an int32 for the value; some carry a descriptor.</summary>
internal readonly record struct InitReport(InitReport.Kind What, int Value)
{
    public enum Kind : byte
    {
        /// <summary>The container is complete, and the command is about to run.</summary>
        Started = 1,

        /// <summary>The command cannot be executed; an errno.</summary>
        CommandFailed,

        /// <summary>The command exited; its status.</summary>
        Exited,

        /// <summary>A signal ended the command; its number.</summary>
        Killed,

        /// <summary>A step of a <see cref="KernelPlan"/> failed; <see cref="StepAndErrno"/>.</summary>
        StepFailed,

        /// <summary>The standard streams cannot be handed over; an errno.</summary>
        DescriptorFailed,

        /// <summary>Process 1 cannot be made; an errno.</summary>
        CloneFailed,

        /// <summary>Process 1 cannot start the command; an errno.</summary>
        ForkFailed,

        /// <summary>
        /// Process 1 exists; its number outside. Comes from whoever cloned it, so it may come after what process 1 tells itself. Where process 1 has to tell it,
        /// which does not know that number, a descriptor of it (pidfd_open(2)) comes along.
        /// </summary>
        Made,

        /// <summary>The container's terminal is open; comes with the other end of it.</summary>
        Terminal,

        /// <summary>The launcher cannot make the container; a pipe with the reason in words comes along.</summary>
        Refused,

        /// <summary>With the other end of a booted system's console.</summary>
        Console,

        /// <summary>With the socket that a booted system tells its state to (sd_notify(3)).</summary>
        Notify,
    }

    // Error numbers stay below 4096 for ever: the kernel's own limit (MAX_ERRNO).
    private const int ErrnoBits = 12;

    /// <summary>Two numbers in the one value that a report has.</summary>
    public static int StepAndErrno(int step, int errno) => (step << ErrnoBits) | errno;

    /// <summary>Which step of the plan failed.</summary>
    public int Step => Value >> ErrnoBits;

    /// <summary>Why it failed.</summary>
    public Errno StepErrno => (Errno)(Value & ((1 << ErrnoBits) - 1));

    public const int Size = 1 + sizeof(int);

    public static InitReport Of(ProcessExit exit) =>
        exit.Status is { } status ? new(Kind.Exited, status) : new(Kind.Killed, (int)exit.Signal!.Value);

    public void Send(SafeFileHandle socket, SafeFileHandle? descriptor = null)
    {
        Span<byte> record = stackalloc byte[Size];
        record[0] = (byte)What;
        BinaryPrimitives.WriteInt32LittleEndian(record[1..], Value);
        MessageSockets.Send(socket, record, descriptor);
    }

    /// <summary>Waits for the next one; null when nobody is left who could send one.</summary>
    public static InitReport? Receive(SafeFileHandle socket, out SafeFileHandle? descriptor)
    {
        Span<byte> record = stackalloc byte[Size];
        return MessageSockets.Receive(socket, record, out descriptor) == Size
            ? new InitReport((Kind)record[0], BinaryPrimitives.ReadInt32LittleEndian(record[1..]))
            : null;
    }
}
