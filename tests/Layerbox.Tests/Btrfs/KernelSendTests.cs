using System.Runtime.InteropServices;
using Layerbox.Btrfs;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Btrfs;

public sealed partial class KernelSendTests(SharedVolume volume) : IClassFixture<SharedVolume>
{
    // Of two snapshots, the second of which has changed files, links, attributes and a file cloned from a subvolume of its own.
    private string Sample()
    {
        string folder = volume.Folder();
        Directories.MakeAll(folder + "/in");
        Programs.Shell($"""
            cd {folder}
            btrfs -q subvolume create work; btrfs -q subvolume create other
            mkdir -p work/usr/bin; head -c 300K /dev/urandom > work/usr/bin/a; seq 60000 > work/text; ln -s usr work/link
            setfattr -n user.k -v v work/text; truncate -s 1M work/sparse; touch work/$'odd \xff\n'
            head -c 700K /dev/urandom > other/big
            """);
        Snapshot("work", "one");
        Snapshot("other", "source");
        Programs.Shell($"""
            cd {folder}; cd work
            cp --reflink=always ../other/big big; echo more >> text; rm link; mv usr/bin/a usr/bin/b; chmod 4755 usr/bin/b; mkfifo fifo
            """);
        Snapshot("work", "two");
        return folder;

        void Snapshot(string of, string name) => Subvolume.Snapshot($"{folder}/{of}", $"{folder}/{name}", readOnly: true);
    }

    public static TheoryData<string, string, bool> Streams => new()
    {
        { "one", "", true },
        { "one", "-p source", false },
        { "two", "-p one", true },
        { "two", "-p one -c source", true },
        { "two", "-p one -c one -c source", true },
        { "two", "--proto 2", true },
        { "two", "--proto 2 -p one -c source", true },
        { "two", "--compressed-data --proto 2 -p one", true },
        { "two", "--no-data -p one", false },
        { "two", "--no-data --proto 2", false },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void Writes_the_stream_that_btrfs_writes_and_the_times_of_the_root(string subvolume, string options, bool isReceivable)
    {
        string folder = Sample();
        string[] ours = [.. options.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(o => o switch
        {
            "-p" => "--parent",
            "-c" => "--clone-source",
            "--compressed-data" => "--compressed",
            "one" or "source" => $"{folder}/{o}",
            _ => o,
        })];
        byte[] stream = Tools.Run(["sendstream-make", $"{folder}/{subvolume}", .. ours]).AssertSucceeded().Bytes;
        Programs.Shell($"cd {folder}; btrfs send -q {(options.Contains("--proto", StringComparison.Ordinal) ? "" : "--proto 1")} {options} {subvolume} > oracle");
        AssertKernels(File.ReadAllBytes(folder + "/oracle"), stream);
        if (!isReceivable)
            return;
        File.WriteAllBytes(folder + "/stream", stream);
        if (options.Length > 0)
            Programs.Shell($"cd {folder}; for s in one source; do btrfs send -q $s | btrfs receive -q in; done");
        Programs.Shell($"cd {folder}; btrfs receive -q -f stream in; diff -r --no-dereference -x fifo {subvolume} in/{subvolume}");
        Assert.Equal(Listing($"{folder}/{subvolume}"), Listing($"{folder}/in/{subvolume}"));
        Assert.Equal(Subvolume.Info($"{folder}/{subvolume}").Uuid, Subvolume.Info($"{folder}/in/{subvolume}").ReceivedUuid);

        static string Listing(string path) => Programs.Shell($"cd {path}; find . -printf '%p %y %m %U %G %s %T@ %l\\n' | sort; getfattr -dRm- . 2>/dev/null");
    }

    [Fact]
    public void A_full_stream_may_clone_from_a_source_without_a_parent()
    {
        string folder = Sample();
        int whole = Tools.Run("sendstream-make", folder + "/two").AssertSucceeded().Bytes.Length;
        byte[] cloned = Tools.Run("sendstream-make", folder + "/two", "-c", folder + "/source").AssertSucceeded().Bytes;
        Assert.InRange(whole - cloned.Length, 690 << 10, 720 << 10);
        File.WriteAllBytes(folder + "/stream", cloned);
        Programs.Shell($"cd {folder}; btrfs send -q source | btrfs receive -q in; btrfs receive -q -f stream in; cmp two/big in/two/big");
    }

    [Fact]
    public void Appends_to_a_file_that_has_something_in_it()
    {
        string folder = Sample();
        using (FdStream file = new(Files.Open(folder + "/file", OpenFlags.WriteOnly | OpenFlags.Create, 0x1A4), "file"))
        {
            file.Write("before"u8);
            KernelSend.Send(folder + "/one", file);
        }
        byte[] written = File.ReadAllBytes(folder + "/file");
        Assert.Equal("before"u8, written[..6]);
        Assert.Equal(Tools.Run("sendstream-make", folder + "/one").Bytes, written[6..]);
    }

    [Fact]
    public void Survives_signals_that_make_the_kernel_start_again()
    {
        string folder = volume.Folder();
        Programs.Shell($"cd {folder}; btrfs -q subvolume create a; head -c 6M /dev/urandom > a/x; btrfs property set a ro true; btrfs send -q --proto 1 a > oracle");
        using PosixSignalRegistration handler = PosixSignalRegistration.Create(PosixSignal.SIGCONT, context => context.Cancel = true);
        // While we do not read, the call waits: the signals certainly meet it.
        int reached = 0;
        SlowStream output = new([0, 1 << 20, 1_500_000, 3 << 20, 3 << 20], () => reached += SignalSenders());
        KernelSend.Send(folder + "/a", output);
        Assert.Equal(0, output.Pending);
        Assert.True(reached > 0);
        AssertKernels(File.ReadAllBytes(folder + "/oracle"), output.ToArray());
    }

    // One command more before the last one, which has 10 bytes.
    private static void AssertKernels(byte[] oracle, byte[] stream)
    {
        const int End = 10, Times = 62, TimesOfVersion2 = 78;
        Assert.Equal(oracle[..^End], stream[..(oracle.Length - End)]);
        Assert.Equal(oracle[^End..], stream[^End..]);
        Assert.Equal(oracle[13] == 1 ? Times : TimesOfVersion2, stream.Length - oracle.Length);
    }

    // As when the signal comes before the argument is made invalid: the second stream is in the pipe already.
    [Theory]
    [InlineData(1, false)]
    [InlineData(17, false)]
    [InlineData(90, false)]
    [InlineData(100_000, false)]
    [InlineData(null, true)]
    public void Notices_a_stream_that_began_anew_at_once(int? cut, bool isTrusted)
    {
        string folder = volume.Folder();
        Programs.Shell($"cd {folder}; btrfs -q subvolume create a; head -c 200K /dev/urandom > a/x; btrfs property set a ro true; btrfs send -q --proto 1 a > oracle");
        byte[] stream = File.ReadAllBytes(folder + "/oracle");
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        Pipes.SetCapacity(write, 1 << 20);
        using (write)
        {
            Files.Write(write, stream.AsSpan(0, cut ?? 0));
            Files.Write(write, stream);
        }
        using MemoryStream output = new();
        SendArgs args = default;
        using (read)
            Assert.Equal(isTrusted, KernelSend.Pump(read, ref args, new ReplayedOutput(output, "x")));
        Assert.Equal(-1, args.SendFd);
        Assert.Equal(stream[..(int)output.Length], output.ToArray());
    }

    [Fact]
    public void Ends_when_its_output_fails()
    {
        string folder = volume.Folder();
        Programs.Shell($"cd {folder}; btrfs -q subvolume create a; head -c 6M /dev/urandom > a/x; btrfs property set a ro true");
        using FdStream full = new(Files.Open("/dev/full", OpenFlags.WriteOnly), "full");
        Assert.Equal("full: write: No space left on device", Assert.Throws<PosixException>(() => KernelSend.Send(folder + "/a", full)).Message);
        Subvolume.Delete(folder + "/a");
    }

    // What begins with "@" is on the volume.
    [Theory]
    [InlineData("sendstream-make: @work: subvolume send: not read-only: send a read-only snapshot of it", "@work")]
    [InlineData("sendstream-make: @work: subvolume send: not read-only: send a read-only snapshot of it", "@one", "--parent", "@work")]
    [InlineData("sendstream-make: @in: subvolume send: a plain directory, not a subvolume", "@one", "--clone-source", "@in")]
    [InlineData("sendstream-make: /proc: subvolume send: not on btrfs: --canonical takes any folder", "@one", "--parent", "/proc")]
    [InlineData("sendstream-make: @none: open: No such file or directory", "@none")]
    [InlineData("sendstream-make: --compressed needs --proto 2", "@one", "--compressed", "--proto", "1")]
    [InlineData("sendstream-make: option '--proto': '3' is not one of 1, 2", "@one", "--proto", "3")]
    public void Says_why_it_failed(string error, params string[] args)
    {
        string folder = Sample();
        string Placed(string text) => text.Replace("@", folder + "/", StringComparison.Ordinal);
        Tools.Result result = Tools.Run(["sendstream-make", .. args.Select(Placed)]);
        Assert.Equal((2, "", Placed(error)), (result.Status, result.Out, result.FirstErrorLine));
    }

    [Fact]
    public void Says_what_it_cannot_do()
    {
        string folder = Sample();
        using TempVolume other = TempVolume.OrSkip(1L << 30);
        Subvolume.Create(other / "x");
        Subvolume.SetReadOnly(other / "x", true);
        string Refused(SendOptions options) => Assert.Throws<PosixException>(() => KernelSend.Send(folder + "/one", Stream.Null, options)).Message;
        Assert.Equal($"{other / "x"}: subvolume send: not on the filesystem of {folder}/one", Refused(new SendOptions { Parent = other / "x" }));
        Assert.Equal($"{folder}/one: subvolume send: this kernel does not write protocol 99", Refused(new SendOptions { Protocol = 99 }));
        Programs.Run("chmod", "755", Path.GetDirectoryName(volume.Root)!);
        string unprivileged = "";
        Unprivileged.Run(() => unprivileged = Refused(new SendOptions()));
        // The thread that sends is a new one: its privilege is that of the one that made it.
        Assert.Equal($"{folder}/one: subvolume send: not permitted: run as root (CAP_SYS_ADMIN is needed)", unprivileged);
    }

    [Fact]
    public void Refuses_to_go_on_when_the_second_stream_is_another()
    {
        ReplayedOutput output = new(Stream.Null, "x");
        output.Begin();
        output.Write("abcdef"u8);
        output.Begin();
        output.Write("abc"u8);
        Assert.Equal(
            "x: subvolume send: interrupted after 6 bytes, and the second stream differs from the first: send it again",
            Assert.Throws<InvalidDataException>(() => output.Write("dXfghi"u8)).Message);
        output.Begin();
        output.Write("abc"u8);
        Assert.Throws<InvalidDataException>(output.End);
    }

    private static int SignalSenders()
    {
        const nint SYS_tgkill = 234, SIGCONT = 18;
        int reached = 0;
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            if (NameOf(task) == KernelSend.ThreadName && syscall(SYS_tgkill, Environment.ProcessId, nint.Parse(Path.GetFileName(task), System.Globalization.CultureInfo.InvariantCulture), SIGCONT) == 0)
                reached++;
        }
        return reached;

        // Threads of other tests end meanwhile.
        static string? NameOf(string task)
        {
            try
            {
                return File.ReadAllText(task + "/comm").Trim();
            }
            catch (IOException)
            {
                return null;
            }
        }
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint group, nint thread, nint signal);

    /// <summary>Keeps what is written; pauses at some offsets until the writer has certainly filled the pipe, and then does something.</summary>
    private sealed class SlowStream(long[] pauses, Action action) : MemoryStream
    {
        private int _next;

        public int Pending => pauses.Length - _next;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            for (; _next < pauses.Length && Length >= pauses[_next]; _next++)
            {
                Thread.Sleep(30);
                action();
                Thread.Sleep(30);
            }
            base.Write(buffer);
        }
    }
}
