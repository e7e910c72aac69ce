using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Posix;

public class ChildProcessTests
{
    private static ProcessResult Shell(string script, byte[]? input = null) =>
        ChildProcess.Run(new ProgramStart("sh", "-c", script), input);

    [Theory]
    [InlineData("exit 0", "exit status 0", 0)]
    [InlineData("exit 7", "exit status 7", 7)]
    [InlineData("exit 255", "exit status 255", 255)]
    [InlineData("kill -KILL $$", "killed by SIGKILL", 137)]
    [InlineData("kill -SEGV $$", "killed by SIGSEGV", 139)]
    [InlineData("kill -34 $$", "killed by 34", 162)]
    public void Says_how_it_ended(string script, string ending, int shellStatus)
    {
        ProcessExit exit = Shell(script).Exit;
        Assert.Equal((ending, shellStatus), (exit.ToString(), exit.ShellStatus));
    }

    [Theory]
    [InlineData("no-such-program", Errno.ENOENT, "no-such-program: find program: No such file or directory")]
    [InlineData("/no/such/program", Errno.ENOENT, "/no/such/program: run: No such file or directory")]
    [InlineData("/etc/passwd", Errno.EACCES, "/etc/passwd: run: Permission denied")]
    public void Says_why_it_cannot_start(string program, Errno errno, string message)
    {
        PosixException e = Assert.Throws<PosixException>(() => ChildProcess.Run(new ProgramStart(program)));
        Assert.Equal((errno, message), (e.Errno, e.Message));
    }

    [Fact]
    public void Names_the_program_that_failed_and_its_last_words()
    {
        ProgramException e = Assert.Throws<ProgramException>(() => Shell("echo first >&2; echo last >&2; echo >&2; exit 3").ThrowIfFailed());
        Assert.Equal("sh: exit status 3: last", e.Message);
    }

    [Fact]
    public void Serves_full_pipes_in_both_directions_at_once()
    {
        byte[] input = RandomNumberGenerator.GetBytes(3 << 20);
        ProcessResult result = Shell("head -c 2000000 /dev/zero >&2; exec cat", input);
        Assert.Equal(input, result.Output);
        Assert.Equal(2000000, result.Errors.Length);
    }

    [Fact]
    public void Does_not_mind_a_program_that_ignores_its_input() =>
        Assert.Equal(0, Shell("exit 0", new byte[1 << 20]).Exit.Status);

    [Fact]
    public void Does_not_wait_for_a_background_process_that_keeps_the_pipes()
    {
        ProcessResult result = Shell("sleep 100 & echo $!");
        Assert.Equal(0, result.Exit.Status);
        Programs.Run("kill", result.OutputText.Trim());
    }

    [Fact]
    public void Passes_every_byte_of_arguments_and_environment()
    {
        string odd = PathText.FromBytes([.. "a\n\"'"u8, 0xFF, 0xFE, .. "é"u8]);
        ProcessResult result = ChildProcess.Run(new ProgramStart("printf", "%s|", odd, "") { Environment = [] });
        Assert.Equal(PathText.ToBytes(odd + "||"), result.Output);
        result = ChildProcess.Run(new ProgramStart("env") { Environment = ["ODD=" + odd, "B=2"] });
        Assert.Equal(PathText.ToBytes($"ODD={odd}\nB=2\n"), result.Output);
    }

    [Fact]
    public void Gives_only_the_descriptors_that_were_named_in_their_order()
    {
        using TempFolder folder = new();
        System.IO.File.WriteAllText(folder / "a", "A");
        System.IO.File.WriteAllText(folder / "b", "B");
        using SafeFileHandle a = Files.Open(folder / "a", OpenFlags.ReadOnly), b = Files.Open(folder / "b", OpenFlags.ReadOnly);
        ProcessResult result = ChildProcess.Run(new ProgramStart("sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd | tr '\\n' ' '") { Inherited = [b, a] });
        // ls itself opens the folder that it lists.
        Assert.Equal("BA0 1 2 3 4 5 ", result.OutputText);
    }

    [Fact]
    public void Swaps_descriptors_that_lie_in_each_others_places()
    {
        // Standard output and error exchanged: each source is the other's target.
        using SafeFileHandle one = new(1, ownsHandle: false), two = new(2, ownsHandle: false);
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        using (write)
        {
            using ChildProcess child = ChildProcess.Start(new ProgramStart("sh", "-c", "links=$(readlink /proc/$$/fd/1 /proc/$$/fd/2); echo \"$links\" >&3") { Output = two, Error = one, Inherited = [write] });
            Assert.Equal(0, child.Wait().Status);
            byte[] buffer = new byte[4096];
            string[] links = Encoding.UTF8.GetString(buffer, 0, Files.Read(read, buffer)).Trim().Split('\n');
            Assert.Equal([ReadLink(2), ReadLink(1)], links);
        }

        static string ReadLink(int fd) => Encoding.UTF8.GetString(Files.ReadLink(Directories.Current, Encoding.UTF8.GetBytes($"/proc/self/fd/{fd}")));
    }

    [Fact]
    public void Starts_with_no_signal_ignored_or_blocked()
    {
        string[] status = Shell("grep -E '^Sig(Blk|Ign)' /proc/self/status").OutputText.Trim().Split('\n');
        Assert.All(status, line => Assert.Equal(0UL, Convert.ToUInt64(line.Split('\t')[1], 16) & ~1UL));
        Assert.Equal(2, status.Length);
    }

    [Fact]
    public void Starts_in_the_folder_it_is_told() =>
        Assert.Equal("/usr\n", ChildProcess.Run(new ProgramStart("pwd") { WorkingDirectory = "/usr" }).OutputText);

    [Fact]
    public void Waits_only_as_long_as_it_is_told_and_kills()
    {
        using ChildProcess child = ChildProcess.Start(new ProgramStart("sleep", "30"));
        Assert.Null(child.Wait(TimeSpan.FromMilliseconds(20)));
        child.Kill(Signal.SIGTERM);
        Assert.Equal(Signal.SIGTERM, child.Wait().Signal);
        child.Kill(Signal.SIGTERM);
    }

    [Fact]
    public void Keeps_every_exit_status_while_dotnet_reaps_its_own_children()
    {
        const int Rounds = 150;
        Parallel.For(0, 4, worker =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                if (worker == 0)
                    Programs.Run("true");
                else
                    Assert.Equal(i % 256, ChildProcess.Run(new ProgramStart("sh", "-c", $"exit {i % 256}")).Exit.Status);
            }
        });
    }
}
