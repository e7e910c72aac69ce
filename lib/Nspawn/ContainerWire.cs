using System.Buffers.Binary;
using System.Text;
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

    /// <summary>Pipe to the init: an <see cref="InitPlan"/>, then a byte for each signal to pass on. Its end means that we are gone.</summary>
    public const int Control = 7;

    /// <summary>The executable that the init is run from.</summary>
    public const int Executable = 8;

    public const int Count = 6;
}

/// <summary>What the init of a container does, as it goes through the control pipe: no other process sees the environment.</summary>
internal sealed record InitPlan(IReadOnlyList<string> Command, IReadOnlyList<string> Environment, string WorkingDirectory, uint Uid, uint Gid, IReadOnlyList<uint> Groups)
{
    /// <summary>See <see cref="ContainerSpec.NoNewPrivileges"/>.</summary>
    public bool NoNewPrivileges { get; init; }

    // u32 length of what follows; u8 whether there are no new privileges; u32 uid, gid; list of u32; string; 2 lists of strings. A list is a u32 count and its members, a
    // string a u32 length and its bytes. All little endian.
    public byte[] ToBytes()
    {
        using MemoryStream bytes = new();
        using BinaryWriter writer = new(bytes);
        writer.Write(0);
        writer.Write(NoNewPrivileges);
        writer.Write(Uid);
        writer.Write(Gid);
        writer.Write(Groups.Count);
        foreach (uint group in Groups)
            writer.Write(group);
        WriteText(WorkingDirectory);
        WriteTexts(Command);
        WriteTexts(Environment);
        byte[] all = bytes.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(all, all.Length - sizeof(int));
        return all;

        void WriteTexts(IReadOnlyList<string> texts)
        {
            writer.Write(texts.Count);
            foreach (string text in texts)
                WriteText(text);
        }

        void WriteText(string text)
        {
            byte[] encoded = PathText.ToBytes(text);
            writer.Write(encoded.Length);
            writer.Write(encoded);
        }
    }

    /// <summary>Reads the plan and not a byte more; null when the pipe ends before that.</summary>
    public static InitPlan? Read(Stream stream)
    {
        byte[] length = new byte[sizeof(int)];
        if (stream.ReadAtLeast(length, length.Length, throwOnEndOfStream: false) < length.Length)
            return null;
        byte[] bytes = new byte[BinaryPrimitives.ReadInt32LittleEndian(length)];
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length)
            return null;
        using BinaryReader reader = new(new MemoryStream(bytes), Encoding.UTF8);
        bool noNewPrivileges = reader.ReadBoolean();
        (uint uid, uint gid) = (reader.ReadUInt32(), reader.ReadUInt32());
        uint[] groups = [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => reader.ReadUInt32())];
        string folder = ReadText();
        string[] command = ReadTexts();
        return new InitPlan(command, ReadTexts(), folder, uid, gid, groups) { NoNewPrivileges = noNewPrivileges };

        string[] ReadTexts() => [.. Enumerable.Range(0, reader.ReadInt32()).Select(_ => ReadText())];
        string ReadText() => PathText.FromBytes(reader.ReadBytes(reader.ReadInt32()));
    }
}

/// <summary>What the init tells: a message with a byte for the kind and an int32 for the value; some carry a descriptor.</summary>
internal readonly record struct InitReport(InitReport.Kind What, int Value)
{
    public enum Kind : byte
    {
        /// <summary>The command runs.</summary>
        Started = 1,

        /// <summary>Becoming the user failed; the value is an errno.</summary>
        UserFailed,

        /// <summary>The working directory cannot be entered; an errno.</summary>
        DirectoryFailed,

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

        /// <summary>Process 1 exists; its number outside. Comes from whoever cloned it, so it may come after what process 1 tells itself.</summary>
        Made,
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
