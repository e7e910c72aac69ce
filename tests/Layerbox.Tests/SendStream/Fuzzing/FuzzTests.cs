using System.Diagnostics;
using System.Globalization;

namespace Layerbox.Tests.SendStream.Fuzzing;

/// <summary>
/// Streams changed at random, through all that reads streams: nothing but an answer comes of them, soon, and nothing outside of the
/// target is touched. A few thousand with every run of the tests; scripts/fuzz makes it millions.
/// </summary>
public class FuzzTests(ITestOutputHelper output)
{
    private const int MaxFailures = 10, MaxSeedLength = 8192;
    private const long InputsPerReport = 50_000;
    private const long MaxAllocated = 64 << 20;
    private static readonly TimeSpan s_slow = TimeSpan.FromSeconds(2), s_hung = TimeSpan.FromMinutes(2);

    private static readonly string[] s_scripts =
    [
        "subvol vol; mkdir d; mkfile d/a; write d/a 0 hello; link b d/a; rename d/a d/c; chmod d 755; chown d 1 2; utimes d 1 2; set_xattr b user.x 1; remove_xattr b user.x; "
        + "truncate b 9; symlink l /x; unlink l; mkdir e; rmdir e; clone b 20 5 d/c 0; mknod n 20600 259; fallocate b 3 1 2; encoded_write b 8 2 4 1 0 abcd; fileattr b 1; "
        + "snapshot v2; write b 3 xyz; unlink b; end",
        "subvol vol; mkdir o257-7-0; rename o257-7-0 d; mkdir o258-7-0; rename o258-7-0 d/e; mkfile o259-7-0; rename o259-7-0 d/e/f; write d/e/f 0 x*300; chmod d/e/f 4755; "
        + "mkfifo p; mksock s; symlink l ../canary; rename d/e g; rename g d/h; write d/h/f 4096 y*200; truncate d/h/f 100; utimes - 5; end",
        "subvol a 11; mkfile f; write f 0 abc; end",
        "subvol a 11; mkfile f; truncate f 1048576; snapshot b 22 11; clone f 0 4096 f 8192 11; rename f g; snapshot c 33 22; clone g 0 4096 f 8192 11; unlink g; mkdir g; end",
        "subvol a 11; mkfile f; fallocate f 0 0 100; fallocate f 3 0 50; fallocate f 16 10 10; set_xattr f security.capability x*20; set_xattr f user.big y*300; update_extent f 0 9; end",
    ];

    [Fact]
    public void Nothing_but_an_answer_comes_of_them()
    {
        // COUNT SEED [FILE...]
        string[] words = (Environment.GetEnvironmentVariable("LAYERBOX_FUZZ") ?? "2000 1").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        long count = long.Parse(words[0], CultureInfo.InvariantCulture);
        int seed = int.Parse(words[1], CultureInfo.InvariantCulture);
        string? keep = Environment.GetEnvironmentVariable("LAYERBOX_FUZZ_KEEP");
        using FuzzTarget target = new() { Interesting = keep is null ? null : new InterestingInputs() };
        StreamMutator mutator = new(
            [
                .. s_scripts.Select(script => StreamScript.Make(script, 2)),
                .. s_scripts[..3].Select(script => StreamScript.Make(Old(script))),
                .. BadStreams.Odd.Select(odd => odd.Bytes).Where(bytes => bytes.Length < MaxSeedLength),
                .. words[2..].Select(File.ReadAllBytes),
            ],
            [target.CanaryPath, target.CanaryPath + "/x", "../canary", "d/../../canary", "l", "l/canary"]);
        List<string> failures = [];
        (long Number, byte[] Input, long Since) current = default;
        using Timer watch = new(_ =>
        {
            if (current.Input is { } input && Stopwatch.GetElapsedTime(current.Since) > s_hung)
                Environment.FailFast($"input {current.Number} does not end: {Save(seed, current.Number, input)}");
        }, null, s_hung, s_hung);
        long started = Stopwatch.GetTimestamp();
        for (long number = 0; number < count && failures.Count < MaxFailures; number++)
        {
            if (number > 0 && number % InputsPerReport == 0)
                output.WriteLine($"{number} inputs, {failures.Count} failures");
            byte[] input = mutator.Make(seed, number);
            long before = GC.GetAllocatedBytesForCurrentThread();
            current = (number, input, Stopwatch.GetTimestamp());
            TimeSpan began = ThreadTime.Now;
            try
            {
                target.Run(input, number);
                Assert.True(ThreadTime.Now - began < s_slow, "it takes too long");
                Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MaxAllocated);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                failures.Add($"{Save(seed, number, input)}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}\n{e.StackTrace}");
            }
        }
        current = default;
        output.WriteLine($"{count} inputs in {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s, {target.Good} of them good streams; peak memory {Process.GetCurrentProcess().PeakWorkingSet64 >> 20} MiB");
        if (keep is not null)
            File.WriteAllLines(keep, target.Interesting!.Choose().Select(Convert.ToBase64String));
        Assert.True(failures.Count == 0, string.Join("\n\n", failures));
    }

    // What version 1 has.
    private static string Old(string script) =>
        string.Join(';', script.Split(';').Where(line => !line.TrimStart().StartsWith("encoded_write", StringComparison.Ordinal) && !line.TrimStart().StartsWith("fa", StringComparison.Ordinal) && !line.Contains("fileattr", StringComparison.Ordinal)));

    private static string Save(int seed, long number, byte[] input)
    {
        string folder = Directory.CreateDirectory(Repository.PathOf("artifacts", "fuzz")).FullName;
        string file = Path.Combine(folder, $"{seed}-{number}.sendstream");
        File.WriteAllBytes(file, input);
        return file;
    }
}
