using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Btrfs;

/// <summary>
/// A file as a block device (loop(4)), held open. It detaches itself when nobody has it open or mounted any more, so that
/// a process that dies leaves nothing behind; whoever holds this object keeps it.
/// </summary>
internal sealed unsafe class LoopDevice : IDisposable
{
    // linux/loop.h
    private const nuint LOOP_GET_STATUS64 = 0x4C05, LOOP_SET_CAPACITY = 0x4C07, LOOP_CONFIGURE = 0x4C0A, LOOP_CTL_GET_FREE = 0x4C82;
    private const uint LO_FLAGS_AUTOCLEAR = 4, LO_FLAGS_DIRECT_IO = 16;
    private const int Attempts = 100;

    private readonly SafeFileHandle _device;

    private LoopDevice(SafeFileHandle device, string path) => (_device, Path) = (device, path);

    /// <summary>The device's node, such as /dev/loop7.</summary>
    public string Path { get; }

    /// <summary>The device that the image is attached to already, or one that it is now attached to: never a second one.</summary>
    /// <remarks>The caller holds a lock that makes it the only one to attach this image.</remarks>
    /// <exception cref="PosixException">EPERM or EACCES without CAP_SYS_ADMIN or access to /dev; ENOENT where there are no loop devices.</exception>
    public static LoopDevice Attach(string image)
    {
        using SafeFileHandle file = Files.Open(image, OpenFlags.ReadWrite);
        return Find(file) ?? AttachNew(file, image);
    }

    /// <summary>The device that the file is attached to; null when it is not.</summary>
    public static LoopDevice? Find(string image)
    {
        using SafeFileHandle file = Files.Open(image, OpenFlags.PathOnly);
        return Find(file);
    }

    /// <summary>What sysfs says is behind a device node such as /dev/loop7; null for what is no attached loop device. Needs no privilege.</summary>
    public static string? BackingFile(string devicePath)
    {
        try
        {
            byte[] text = WholeFile.Read($"/sys/block/{System.IO.Path.GetFileName(devicePath)}/loop/backing_file");
            return PathText.FromBytes(text.AsSpan().TrimEnd((byte)'\n'));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENXIO or Errno.ENODEV)
        {
            return null;
        }
    }

    /// <summary>Tells the device that its file has another size.</summary>
    public void UpdateCapacity() => Command(_device, LOOP_SET_CAPACITY, "set loop device capacity", Path);

    public void Dispose() => _device.Dispose();

    // By inode, not by name: the same file has many paths, and sysfs cuts long ones.
    private static LoopDevice? Find(SafeFileHandle file)
    {
        FileStatus wanted = Files.Status(file);
        using SafeFileHandle blocks = Directories.Open("/sys/block");
        foreach ((byte[] bytes, _) in Directories.List(blocks))
        {
            string name = Encoding.ASCII.GetString(bytes);
            if (!name.StartsWith("loop", StringComparison.Ordinal) || !Files.Exists($"/sys/block/{name}/loop/backing_file"))
                continue;
            string path = $"/dev/{name}";
            if (TryOpen(path) is not { } device)
                continue;
            LoopInfo info = default;
            // Held open it cannot detach any more; that it did so before is ENXIO.
            if (TryGetStatus(device, ref info, path) && info.Inode == wanted.Inode && info.Device == Encode(wanted.DevMajor, wanted.DevMinor) && info.Offset == 0)
                return new LoopDevice(device, path);
            device.Dispose();
        }
        return null;
    }

    private static LoopDevice AttachNew(SafeFileHandle file, string image)
    {
        using SafeFileHandle control = Files.Open("/dev/loop-control", OpenFlags.ReadWrite);
        for (int attempt = 1; ; attempt++)
        {
            int number = Command(control, LOOP_CTL_GET_FREE, "find a free loop device", "/dev/loop-control");
            string path = string.Create(CultureInfo.InvariantCulture, $"/dev/loop{number}");
            SafeFileHandle device = OpenNew(path);
            try
            {
                Configure(device, file, path, image);
                return new LoopDevice(device, path);
            }
            catch (PosixException e) when (e.Errno is Errno.EBUSY && attempt < Attempts)
            {
                // Another process took the same free device first.
                device.Dispose();
                Thread.Sleep(Random.Shared.Next(1, 20));
            }
            catch
            {
                device.Dispose();
                throw;
            }
        }
    }

    private static void Configure(SafeFileHandle device, SafeFileHandle file, string path, string image)
    {
        // Direct I/O keeps the image's blocks from being cached twice; a kernel that cannot do it here goes on without.
        const uint BlockSize = 4096;
        LoopConfig config = new()
        {
            Fd = (uint)file.DangerousGetHandle(),
            BlockSize = BlockSize,
            Info = new LoopInfo { Flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO },
        };
        ReadOnlySpan<byte> name = PathText.ToBytes(image);
        name[..Math.Min(name.Length, LoopInfo.NameSize - 1)].CopyTo(new Span<byte>(config.Info.FileName, LoopInfo.NameSize));
        Directories.Ioctl(device, LOOP_CONFIGURE, ref config, "attach loop device", path);
    }

    // devtmpfs makes the node of a new device a moment after the number is given out.
    private static SafeFileHandle OpenNew(string path)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return Files.Open(path, OpenFlags.ReadWrite);
            }
            catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENXIO && attempt < Attempts / 10)
            {
                Thread.Sleep(attempt);
            }
        }
    }

    private static SafeFileHandle? TryOpen(string path)
    {
        try
        {
            return Files.Open(path, OpenFlags.ReadWrite);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENXIO or Errno.EBUSY or Errno.EROFS)
        {
            return null;
        }
    }

    private static bool TryGetStatus(SafeFileHandle device, ref LoopInfo info, string path)
    {
        try
        {
            Directories.Ioctl(device, LOOP_GET_STATUS64, ref info, "get loop device status", path);
            return true;
        }
        catch (PosixException e) when (e.Errno == Errno.ENXIO)
        {
            return false;
        }
    }

    private static int Command(SafeFileHandle device, nuint request, string call, string path)
    {
        int none = 0;
        return Directories.Ioctl(device, request, ref none, call, path);
    }

    // linux/kdev_t.h: new_encode_dev
    private static ulong Encode(uint major, uint minor) => (minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12);

    /// <summary>struct loop_info64, 232 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct LoopInfo
    {
        public const int NameSize = 64;

        public ulong Device, Inode, RDevice, Offset, SizeLimit;
        public uint Number, EncryptType, EncryptKeySize, Flags;
        public fixed byte FileName[NameSize];
        public fixed byte CryptName[NameSize];
        public fixed byte EncryptKey[32];
        public fixed ulong Init[2];
    }

    /// <summary>struct loop_config, 304 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct LoopConfig
    {
        public uint Fd, BlockSize;
        public LoopInfo Info;
        public fixed ulong Reserved[8];
    }
}
