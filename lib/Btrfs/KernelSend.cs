using System.Buffers.Binary;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>Send streams as the kernel writes them (BTRFS_IOC_SEND) but for <see cref="SendEnd"/>; needs CAP_SYS_ADMIN.</summary>
/// <remarks>
/// A stream never goes straight to the output: the kernel would write it at offset 0 of a file whatever is there. And a signal that meets the
/// call while it waits, be it only SIGSTOP and SIGCONT, makes the kernel start it anew and the stream once more, behind the piece already
/// written (btrfs-progs issues 719 and 1063). So its argument is made invalid as soon as it was read, the new start fails, and
/// the stream is asked for again, without what was already passed on.
/// </remarks>
public static unsafe class KernelSend
{
    // BTRFS_IOC_SEND = _IOW(0x94, 38, struct btrfs_ioctl_send_args)
    private const nuint BTRFS_IOC_SEND = 0x40489426;
    private const ulong BTRFS_SEND_FLAG_NO_FILE_DATA = 0x1, BTRFS_SEND_FLAG_OMIT_END_CMD = 0x4, BTRFS_SEND_FLAG_VERSION = 0x8, BTRFS_SEND_FLAG_COMPRESSED = 0x10;
    private const string Call = "subvolume send";
    internal const string ThreadName = "btrfs-send";
    private const int PipeCapacity = 1 << 20, BufferSize = 256 << 10, MaxAttempts = 100;
    private const int StreamHeaderSize = 17;

    /// <summary>Writes the stream of a read-only subvolume.</summary>
    /// <exception cref="PosixException">Something given is no read-only subvolume of one filesystem, privilege is missing, the output cannot be written, …</exception>
    public static void Send(string path, Stream output, SendOptions? options = null)
    {
        options ??= new SendOptions();
        int protocol = options.Protocol ?? (options.Compressed ? 2 : 1);
        if (options.Compressed && protocol < 2)
            throw new PosixException(Call, Errno.EINVAL, path, "compressed data needs protocol 2");
        using SafeFileHandle subvolume = OpenReadOnly(path);
        Guid filesystem = Subvolume.FilesystemUuid(subvolume, path);
        ulong parent = options.Parent is null ? 0 : IdOf(options.Parent, filesystem, path);
        // The kernel clones from the parent only if it is named as a source too.
        ulong[] sources = [.. options.CloneSources.Select(source => IdOf(source, filesystem, path)).Concat(parent == 0 ? [] : [parent]).Distinct()];
        Subvolume.Sync(subvolume, path);
        ReplayedOutput replayed = new(output, path);
        fixed (ulong* first = sources)
        {
            SendArgs args = new()
            {
                CloneSources = first,
                CloneSourcesCount = (ulong)sources.Length,
                ParentRoot = parent,
                // Version 1 is left unsaid for kernels before 6.0, which know no other and no such flag.
                Version = protocol == 1 ? 0 : (uint)protocol,
                Flags = BTRFS_SEND_FLAG_OMIT_END_CMD
                    | (protocol == 1 ? 0 : BTRFS_SEND_FLAG_VERSION)
                    | (options.Compressed ? BTRFS_SEND_FLAG_COMPRESSED : 0)
                    | (options.NoData ? BTRFS_SEND_FLAG_NO_FILE_DATA : 0),
            };
            for (int attempt = 0; !TrySend(subvolume, path, args, replayed); attempt++)
            {
                if (attempt == MaxAttempts)
                    throw new PosixException(Call, Errno.EINTR, path, "interrupted by signals again and again");
            }
        }
        replayed.Write(SendEnd.Bytes(FileTimes.Of(subvolume, path), protocol));
    }

    // False when it was interrupted, and may be tried again.
    private static bool TrySend(SafeFileHandle subvolume, string path, SendArgs args, ReplayedOutput output)
    {
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        Pipes.SetCapacity(write, PipeCapacity);
        SendArgs[] shared = GC.AllocateArray<SendArgs>(1, pinned: true);
        shared[0] = args with { SendFd = (long)write.DangerousGetHandle() };
        PosixException? failure = null;
        Thread sender = new(() =>
        {
            using (write)
            {
                try
                {
                    SubvolumeIoctl.Run(subvolume, BTRFS_IOC_SEND, ref shared[0], Call, path);
                }
                catch (PosixException e)
                {
                    failure = e;
                }
            }
        })
        { Name = ThreadName };
        sender.Start();
        bool isTrusted;
        try
        {
            using (read)
                isTrusted = Pump(read, ref shared[0], output);
        }
        finally
        {
            sender.Join();
        }
        // EBADF is the invalid argument that a new start met.
        if (!isTrusted || failure?.Errno is Errno.EINTR or Errno.EBADF)
            return false;
        if (failure is not null)
            throw new PosixException(Call, failure.Errno, path, Meaning(failure.Errno, args));
        output.End();
        return true;
    }

    // False when the call was started anew before its argument was made invalid.
    internal static bool Pump(SafeFileHandle read, ref SendArgs shared, ReplayedOutput output)
    {
        byte[] buffer = new byte[BufferSize];
        output.Begin();
        int size = ReadFull(read, buffer.AsSpan(0, 1));
        Volatile.Write(ref shared.SendFd, -1);
        // What lies in the pipe was written before: if a second stream begins in there, then at the end of these bytes at the latest.
        long suspect = 1 + Pipes.BytesWaiting(read);
        size += ReadFull(read, buffer.AsSpan(size, StreamHeaderSize - size));
        if (size > 0 && !buffer.AsSpan(0, size).StartsWith("btrfs-stream\0"u8))
            return false;
        output.Write(buffer.AsSpan(0, size));
        for (long at = size; at <= suspect && size > 0; at += size)
        {
            size = ReadCommand(read, buffer);
            if (size < 0)
                return false;
            output.Write(buffer.AsSpan(0, size));
        }
        while ((size = Files.Read(read, buffer, Call)) > 0)
            output.Write(buffer.AsSpan(0, size));
        return true;
    }

    // struct btrfs_cmd_header { u32 len; u16 cmd; u32 crc; }: the length is that of what follows, the CRC32C (neither begun nor ended with
    // ones) that of all with a CRC of 0. The size of the command; 0 at the end of the stream, -1 when this is no command.
    private static int ReadCommand(SafeFileHandle read, byte[] buffer)
    {
        const int CrcOffset = 6, HeaderSize = 10;
        int size = ReadFull(read, buffer.AsSpan(0, HeaderSize));
        if (size == 0)
            return 0;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(buffer);
        if (size < HeaderSize || length > buffer.Length - HeaderSize)
            return -1;
        Span<byte> command = buffer.AsSpan(0, HeaderSize + (int)length);
        if (ReadFull(read, command[HeaderSize..]) < length)
            return -1;
        Span<byte> crc = command.Slice(CrcOffset, sizeof(uint));
        uint expected = BinaryPrimitives.ReadUInt32LittleEndian(crc);
        crc.Clear();
        bool isWhole = ReplayedOutput.Sum(0, command) == expected;
        BinaryPrimitives.WriteUInt32LittleEndian(crc, expected);
        return isWhole ? command.Length : -1;
    }

    // Fewer bytes than asked for only at the end.
    private static int ReadFull(SafeFileHandle read, Span<byte> buffer)
    {
        int size = 0, more;
        while (size < buffer.Length && (more = Files.Read(read, buffer[size..], Call)) > 0)
            size += more;
        return size;
    }

    private static SafeFileHandle OpenReadOnly(string path)
    {
        SafeFileHandle subvolume = Subvolume.Open(path, Call);
        if (Subvolume.Info(subvolume, path).IsReadOnly)
            return subvolume;
        subvolume.Dispose();
        throw new PosixException(Call, Errno.EPERM, path, "not read-only: send a read-only snapshot of it");
    }

    private static ulong IdOf(string path, Guid filesystem, string sent)
    {
        using SafeFileHandle subvolume = OpenReadOnly(path);
        return Subvolume.FilesystemUuid(subvolume, path) == filesystem
            ? Subvolume.Info(subvolume, path).Id
            : throw new PosixException(Call, Errno.EXDEV, path, $"not on the filesystem of {sent}");
    }

    private static string? Meaning(Errno errno, SendArgs args) => errno switch
    {
        Errno.EPERM => "not permitted: run as root (CAP_SYS_ADMIN is needed)",
        Errno.EPROTO => $"this kernel does not write protocol {args.Version}",
        Errno.EINVAL or Errno.EOPNOTSUPP when args.Version > 1 => "this kernel writes no protocol but 1",
        Errno.EAGAIN => "its files are being deduplicated: try again later",
        _ => null,
    };
}
