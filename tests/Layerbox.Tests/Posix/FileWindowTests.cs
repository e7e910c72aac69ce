using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Posix;

public class FileWindowTests
{
    [Fact]
    public void Shows_any_part_of_a_file()
    {
        using TempFolder folder = new();
        byte[] bytes = new byte[100_001];
        new Random(1).NextBytes(bytes);
        File.WriteAllBytes(folder / "file", bytes);
        using SafeFileHandle file = Files.Open(folder / "file", OpenFlags.ReadOnly);
        using System.Buffers.MemoryManager<byte> owner = new FileWindow(file, folder / "file");
        FileWindow window = (FileWindow)owner;
        foreach ((int offset, int length) in new[] { (0, 1), (0, 4096), (4095, 2), (1, 4096), (50_000, 50_001), (100_000, 1), (7, 99_994), (0, 100_001) })
            Assert.Equal(bytes.AsSpan(offset, length), window.Show(offset, length).Span);
    }

    [Fact]
    public void What_cannot_be_mapped_is_an_error_with_its_path()
    {
        using SafeFileHandle folder = Files.Open("/", OpenFlags.ReadOnly);
        using System.Buffers.MemoryManager<byte> owner = new FileWindow(folder, "/");
        PosixException error = Assert.Throws<PosixException>(() => ((FileWindow)owner).Show(0, 1));
        Assert.Equal(("mmap", "/", Errno.ENODEV), (error.Call, error.Path, error.Errno));
    }
}
