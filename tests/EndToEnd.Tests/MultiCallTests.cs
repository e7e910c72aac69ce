using System.Diagnostics;

namespace Layerbox.Tests.EndToEnd;

/// <summary>One executable, many names; and nothing but itself needed to run.</summary>
public class MultiCallTests
{
    [Fact]
    public void Installs_links_that_work_keeps_them_and_leaves_what_is_not_its_own()
    {
        Executable.PublishedOrSkip();
        using TempFolder folder = new();
        (int status, string output, string errors) = Executable.Shell(
            """
            mkdir bin
            "$L" --install bin | sed 's/ .*//' | sort | uniq -c | awk '{print $2}'
            tools=$("$L" --list | awk '{print $1}')
            for tool in $tools; do cmp <(bin/$tool --help) <("$L" $tool --help); done
            "$L" --install bin | sed 's/ .*//' | sort | uniq -c | awk '{print $2}'
            set -- $tools
            rm bin/$1; ln -s /gone/layerbox bin/$1; "$L" --install bin | grep -v ^kept | sed 's/ .*//'
            rm bin/$1; echo mine > bin/$1; "$L" --install bin > /dev/null; echo $?; cat bin/$1
            """, folder.Path);
        Assert.Equal("made\nkept\nreplaced\n2\nmine\n", output);
        Assert.Matches("^layerbox: bin/[a-z-]*: exists and is not a link to layerbox; left alone\n$", errors);
        Assert.Equal(0, status);
    }

    [Fact]
    public void Answers_to_the_name_it_is_called_by()
    {
        Executable.PublishedOrSkip();
        Assert.Equal((0, "", ""), Executable.Shell("tool=$(\"$L\" --list | head -n 1 | awk '{print $1}'); cmp <(exec -a \"/x/$tool\" \"$L\" --help) <(\"$L\" \"$tool\" --help)"));
    }

    [Theory]
    [InlineData("\"$L\" subvol-make \"$name\"")]
    [InlineData("ln -s \"$L\" subvol-make; ./subvol-make \"$name\"")]
    [InlineData("exec -a subvol-make \"$L\" \"$name\"")]
    public void Names_that_are_not_UTF8_stay_what_they_are_whatever_it_is_called_by(string call)
    {
        Executable.PublishedOrSkip();
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        (int status, string output, string errors) = Executable.Shell(
            $$"""name='{{volume.Path}}'/$'a\xff\xe4\nb'; ({{call}}) > made && stat --format %i "$name" && grep -c path_b64 made""", folder.Path);
        Assert.Equal((0, "256\n1\n", ""), (status, output, errors));
    }

    [Fact]
    public void Runs_where_there_is_nothing_else()
    {
        Executable.PublishedOrSkip();
        Privileged.OrSkip();
        using TempFolder folder = new();
        Programs.Run("cp", Executable.Path, folder / "layerbox");
        (int status, string output, string errors) = Executable.Shell("chroot . /layerbox --version && chroot . /layerbox $'\\xff'", folder.Path);
        Assert.StartsWith("layerbox ", output, StringComparison.Ordinal);
        Assert.Equal((2, "layerbox: an argument is not UTF-8, and its bytes cannot be read: /proc is not mounted\n"), (status, errors));
    }

    [Fact]
    public void Is_one_static_file()
    {
        Executable.PublishedOrSkip();
        // The program for S3 is another one, which CI publishes too.
        Assert.Equal([Executable.Path], Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(Executable.Path)!).Where(path => Path.GetFileName(path) != "layerbox-storage-s3"));
        Assert.Equal("0\n", Executable.Shell("readelf --wide --segments \"$L\" | grep --count INTERP").Out);
    }

    [Fact]
    public void Starts_at_once()
    {
        Executable.PublishedOrSkip();
        const int Starts = 21;
        double[] own = new double[Starts], bash = new double[Starts];
        for (int i = 0; i < Starts; i++)
            (own[i], bash[i]) = (MillisecondsOfOneRun(Executable.Path, "--help"), MillisecondsOfOneRun("bash", "-c", ":"));
        (double median, double other) = (own.Order().ElementAt(Starts / 2), bash.Order().ElementAt(Starts / 2));
        TestContext.Current.TestOutputHelper?.WriteLine($"median of {Starts} starts: {median:0.0} ms, of bash {other:0.0} ms");
        // The goal is 5 ms, measured by scripts/bench on a machine at rest. Here others use the machine too, from whom bash suffers as much.
        Assert.InRange(median, 0, 10 * other);
    }

    private static double MillisecondsOfOneRun(string program, params string[] arguments)
    {
        long start = Stopwatch.GetTimestamp();
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        process.WaitForExit();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
