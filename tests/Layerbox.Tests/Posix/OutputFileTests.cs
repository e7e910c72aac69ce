using Layerbox.Posix;

namespace Layerbox.Tests.Posix;

public sealed class OutputFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string[] Names => [.. Directory.GetFileSystemEntries(_folder.Path).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    [Theory]
    [InlineData("new")]
    [InlineData("old")]
    [InlineData("link")]
    [InlineData("dangling")]
    public void Appears_whole_when_it_is_committed(string name)
    {
        Programs.Shell($"cd {_folder.Path}; echo old > old; ln -s old link; ln -s target dangling; mkdir sub");
        string[] before = Names;
        string old = Programs.Shell($"cat {_folder.Path}/{name} 2>/dev/null || true");
        using OutputFile file = OutputFile.Create(_folder / name);
        file.Stream.Write("new text"u8);
        Assert.Equal(before, Names);
        Assert.Equal(old, Programs.Shell($"cat {_folder.Path}/{name} 2>/dev/null || true"));
        file.Commit();
        Assert.Equal("new text", Programs.Shell($"cat {_folder.Path}/{name}"));
        Assert.Equal(name is "link" or "dangling", Files.Status(_folder / name).IsSymlink);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Can_be_read_by_those_who_lock_as_soon_as_it_is_there(bool isReplaced)
    {
        if (isReplaced)
            File.WriteAllText(_folder / "x", "old");
        using OutputFile file = OutputFile.Create(_folder / "x");
        file.Stream.Write("new"u8);
        file.Commit();
        // The handle is still open, as it is for a moment in a program that another thread is just starting.
        Assert.Equal("new", File.ReadAllText(_folder / "x"));
        Assert.Equal(0, Programs.Try("flock", "--shared", "--nonblock", _folder / "x", "true").Status);
    }

    [Fact]
    public void Leaves_nothing_when_it_is_not_committed()
    {
        using (OutputFile file = OutputFile.Create(_folder / "x"))
            file.Stream.Write("half"u8);
        Assert.Empty(Names);
    }

    [Fact]
    public void Refuses_what_is_there_at_once_and_at_the_end()
    {
        using OutputFile file = OutputFile.Create(_folder / "x", replace: false);
        Programs.Shell($"echo other > {_folder / "x"}");
        Assert.Equal($"{_folder / "x"}: link: File exists", Assert.Throws<PosixException>(file.Commit).Message);
        Assert.Equal($"{_folder / "x"}: create: File exists", Assert.Throws<PosixException>(() => OutputFile.Create(_folder / "x", replace: false)).Message);
        Assert.Equal("other\n", Programs.Shell($"cat {_folder / "x"}"));
        Assert.Equal(["x"], Names);
    }

    [Fact]
    public void Says_what_is_wrong_with_a_path()
    {
        Assert.Equal($"{_folder.Path}: open: Is a directory", Assert.Throws<PosixException>(() => OutputFile.Create(_folder.Path)).Message);
        Assert.Equal($"{_folder / "no/x"}: open: there is no folder {_folder / "no"}", Assert.Throws<PosixException>(() => OutputFile.Create(_folder / "no/x")).Message);
        Programs.Shell($"ln -s b {_folder / "a"}; ln -s a {_folder / "b"}");
        Assert.Equal(Errno.ELOOP, Assert.Throws<PosixException>(() => OutputFile.Create(_folder / "a")).Errno);
    }

    [Fact]
    public void Writes_to_what_is_no_file()
    {
        using OutputFile file = OutputFile.Create("/dev/null");
        file.Stream.Write("x"u8);
        file.Commit();
        using OutputFile full = OutputFile.Create("/dev/full");
        Assert.Equal("/dev/full: write: No space left on device", Assert.Throws<PosixException>(() => full.Stream.Write("x"u8)).Message);
        Assert.Equal(FileStatus.S_IFCHR, Files.Status("/dev/full").Type);
    }

    [Fact]
    public void Takes_the_longest_name_and_one_that_is_not_UTF8()
    {
        foreach (string name in new[] { new string('n', 255), PathText.FromBytes([0xFF, (byte)'x']) })
        {
            using OutputFile file = OutputFile.Create(_folder / name);
            file.Commit();
            Assert.True(Files.Exists(_folder / name));
        }
    }

    // As SIGKILL leaves it: under the temporary name, and nobody holds it.
    [Theory]
    [InlineData("echo half > .out.layerbox-tmp")]
    [InlineData("mkdir .out.layerbox-tmp; echo half > .out.layerbox-tmp/x")]
    [InlineData("echo half > .out.layerbox-tmp; echo old > out")]
    public void Removes_what_one_that_was_killed_has_left(string leaving)
    {
        Programs.Shell($"cd {_folder.Path}; {leaving}");
        using (OutputFile file = OutputFile.Create(_folder / "out"))
        {
            file.Stream.Write("whole"u8);
            file.Commit();
        }
        Assert.Equal(["out"], Names);
        Assert.Equal("whole", Programs.Shell($"cat {_folder / "out"}"));
        Programs.Shell($"cd {_folder.Path}; rm out; {leaving}");
        using (OutputDirectory directory = OutputDirectory.Create(_folder / "out", replace: true))
        {
            Programs.Shell($"echo whole > {directory.TemporaryPath}/x");
            directory.Commit();
        }
        Assert.Equal(["out"], Names);
        Assert.Equal("whole\n", Programs.Shell($"cat {_folder / "out/x"}"));
    }

    [Fact]
    public void Leaves_alone_what_others_are_at_work_on()
    {
        using OutputDirectory first = OutputDirectory.Create(_folder / "out", replace: true), second = OutputDirectory.Create(_folder / "out", replace: true);
        Programs.Shell($"echo one > {first.TemporaryPath}/x; echo two > {second.TemporaryPath}/x");
        second.Commit();
        Assert.Equal("two\n", Programs.Shell($"cat {_folder / "out/x"}"));
        first.Commit();
        Assert.Equal("one\n", Programs.Shell($"cat {_folder / "out/x"}"));
        Assert.Equal(["out"], Names);
    }

    [Fact]
    public async Task Writers_of_one_file_do_not_meet()
    {
        const int Writers = 4, Times = 50;
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < Times; i++)
                WholeFile.Write(_folder / "out", "whole"u8);
        })));
        Assert.Equal(["out"], Names);
        Assert.Equal("whole", Programs.Shell($"cat {_folder / "out"}"));
    }

    [Fact]
    public void A_directory_appears_whole()
    {
        using (OutputDirectory given = OutputDirectory.Create(_folder / "out"))
        {
            Programs.Shell($"mkdir {given.TemporaryPath}/sub; echo x > {given.TemporaryPath}/sub/x");
            Assert.False(Files.Exists(_folder / "out"));
        }
        Assert.Empty(Names);
        foreach (string text in new[] { "one", "two" })
        {
            using OutputDirectory made = OutputDirectory.Create(_folder / "out", replace: true);
            Programs.Shell($"echo {text} > {made.TemporaryPath}/x");
            made.Commit();
            Assert.Equal(text + "\n", Programs.Shell($"cat {_folder / "out/x"}"));
        }
        Assert.Equal(Errno.EEXIST, Assert.Throws<PosixException>(() => OutputDirectory.Create(_folder / "out")).Errno);
        Assert.Equal(["out"], Names);
    }
}
