using System.Runtime.InteropServices;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Rootfs;

/// <summary>Alone, since the umask is the whole process's.</summary>
[CollectionDefinition(nameof(UmaskTests), DisableParallelization = true)]
[Collection(nameof(UmaskTests))]
public sealed partial class UmaskTests
{
    [LibraryImport("libc")]
    private static partial uint umask(uint mask);

    [Theory]
    [InlineData(0x3Fu /* 077 */, "600", "700")]
    [InlineData(0x12u /* 022 */, "644", "755")]
    [InlineData(0u, "666", "777")]
    public void Output_honours_the_umask_and_trees_do_not(uint mask, string fileMode, string directoryMode)
    {
        using TempFolder folder = new();
        Tree tree = new Tree().Add("d/f", Samples.File("x", 0x1B6 /* 0666 */)).Add("p", Inode.Fifo(0x1B6));
        ApplyTests.Mine(tree).Root.Mode = 0x1FF; // 0777
        uint before = umask(mask);
        try
        {
            RootfsWriter.Apply(folder.Path, RootfsReader.Read(folder.Path), tree);
            using OutputFile file = OutputFile.Create(folder / "file");
            file.Commit();
            using OutputDirectory directory = OutputDirectory.Create(folder / "directory");
            directory.Commit();
        }
        finally
        {
            Assert.Equal(mask, umask(before));
        }
        Assert.Equal(
            $"777 755 666 666 {fileMode} {directoryMode}\n",
            Programs.Shell($"cd {folder.Path}; stat -c %a . d d/f p file directory | paste -sd' '"));
    }
}
