using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>Starts where something is scarce or missing that programs are used to: they work, or one line says why not.</summary>
public class ContainerStartTests
{
    private const string Itself = "", Launched = "--in-place", Nspawn = "--engine nspawn";

    // Where a test may hide /tmp, in which everything may lie.
    private const string Elsewhere = "mount --bind $1 /mnt; mount --bind ${0%/*} /media; run=${run/$1//mnt}; run=/media/layerbox${run#$0}; ";

    // $run is the command line of a container that says "inside" and ends with 7.
    private static (int? Status, string Out, string Err) Run(ContainerRoot root, string script, string options)
    {
        ProcessResult result = ChildProcess.Run(
            new ProgramStart("unshare", "--mount", "bash", "-uc", $"run=\"$0 container-run $1 {options} -- sh -c 'echo inside; exit 7'\"; {script}", Published.OrSkip(), root.Path),
            Array.Empty<byte>());
        return (result.Exit.Status, result.OutputText, result.ErrorText);
    }

    [Theory]
    [InlineData("ulimit -n 16; eval $run", Itself, Launched)]
    [InlineData("ulimit -n 32; eval $run", Nspawn)]
    [InlineData("ulimit -v 130000; eval $run", Itself, Launched, Nspawn)]
    [InlineData("ulimit -f 0; eval $run", Itself, Launched)]
    [InlineData("ulimit -u 4; eval $run", Itself, Launched, Nspawn)]
    [InlineData("ulimit -s 128; eval $run", Itself, Launched, Nspawn)]
    [InlineData("umount --lazy /proc; eval $run", Itself, Launched)]
    [InlineData(Elsewhere + "mount -t tmpfs -o size=4k none /tmp; head -c 8192 /dev/zero > /tmp/full 2> /dev/null; eval $run", Itself, Launched, Nspawn)]
    [InlineData(Elsewhere + "mount -t tmpfs -o ro none /tmp; eval $run", Itself, Launched)]
    [InlineData("cd /proc; eval $run", Itself, Launched, Nspawn)]
    [InlineData("eval $run <&-", Itself, Launched, Nspawn)]
    [InlineData("eval $run 2>&-", Itself, Launched, Nspawn)]
    [InlineData("umask 777; eval $run", Itself, Launched, Nspawn)]
    public void Starts_with_little(string script, params string[] engines)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        foreach (string options in engines)
            Assert.Equal((options, (7, "inside\n", "")), (options, Run(root, script, options)));
    }

    [Theory]
    [InlineData("eval $run >&-", "error")]
    [InlineData("eval $run <&- >&- 2>&-", "")]
    public void A_stream_that_is_closed_is_closed_inside(string script, string error)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        foreach (string options in (string[])[Itself, Launched, Nspawn])
        {
            (int? status, string output, string errors) = Run(root, script, options);
            Assert.Equal((options, 7, "", error.Length == 0), (options, status, output, errors.Length == 0));
            Assert.Contains(error, errors, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("ulimit -n 10; eval $run", Itself, "Too many open files")]
    [InlineData("ulimit -n 6; eval $run", Launched, "Too many open files")]
    [InlineData("ulimit -n 10; eval $run", Nspawn, "Too many open files")]
    [InlineData("umount --lazy /proc; eval $run", Nspawn, "systemd-nspawn needs /proc, which is not mounted here")]
    public void Says_what_there_is_too_little_of(string script, string options, string reason)
    {
        using ContainerRoot root = ContainerRoot.OrSkip();
        (int? status, string output, string errors) = Run(root, script, options);
        Assert.Equal((125, ""), (status, output));
        Assert.Equal(2, errors.Split('\n').Length);
        Assert.StartsWith("container-run: ", errors, StringComparison.Ordinal);
        Assert.Contains(reason, errors, StringComparison.Ordinal);
    }
}
