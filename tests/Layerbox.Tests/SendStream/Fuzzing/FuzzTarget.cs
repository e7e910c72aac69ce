using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream.Fuzzing;

/// <summary>Hands an input to all that reads send-streams, and compares what they say.</summary>
internal sealed class FuzzTarget : IDisposable
{
    private const string Canary = "safe";

    private static readonly HashSet<string> s_faults = [.. Enum.GetValues<SendStreamFault>().Select(SendStreamFaults.Code)];

    private static readonly string[] s_changes = ["", "--proto 1", "--proto 2 --compress zstd", "--normalise", "--repair", "--normalise --exclude d/**"];

    private readonly TempFolder _folder = new();

    public FuzzTarget() => File.WriteAllText(_folder / "canary", Canary);

    /// <summary>What no stream may write to.</summary>
    public string CanaryPath => _folder / "canary";

    /// <summary>How many inputs were good streams.</summary>
    public long Good { get; private set; }

    /// <summary>Is told of each input and what was said of it; null: nobody is.</summary>
    public InterestingInputs? Interesting { get; init; }

    /// <exception cref="Exception">Anything: it is a bug.</exception>
    public void Run(byte[] input, long number)
    {
        SubvolumeSet strict = new(Converters.Limits);
        SendStreamException? fault = Receive(strict, input);
        List<SendStreamFinding> findings = Check(new MemoryStream(input));
        Compare(fault, findings);
        Render(strict);
        SubvolumeSet tolerant = new() { AllowUnknownParent = true, AllowNoData = true, KeepOrigins = true };
        Receive(tolerant, input);
        Render(tolerant);
        if (number % 16 == 0)
            Same(string.Join('\n', findings.Select(f => f.Message)), string.Join('\n', Check(new Dribble(input)).Select(f => f.Message)));
        if (fault is null)
            Good++;
        string converted = Converters.Run(input, fault, strict, number);
        Interesting?.Offer(input, fault is null ? [converted, .. findings.Select(f => f.Code)] : [fault.Fault < SendStreamFault.NoSubvolume ? fault.Fault.Code() : $"{fault.Fault.Code()} {fault.Kind}"]);
        if (number % (fault is null ? 4 : 64) == 0) // system calls take longer than all the rest
            WriteFiles(input, isGood: fault is null, number);
    }

    public void Dispose() => _folder.Dispose();

    private static List<SendStreamFinding> Check(Stream input)
    {
        List<SendStreamFinding> findings = [];
        SendStreamCheck check = new(findings.Add);
        check.Check(new SendStreamReader(input));
        return findings;
    }

    private static SendStreamException? Receive(SubvolumeSet set, byte[] input)
    {
        try
        {
            set.Receive(new MemoryStream(input), new MemoryBytes(input));
            return null;
        }
        catch (SendStreamException e)
        {
            return e;
        }
    }

    // A check goes on where others end; up to there it finds nothing but remarks, and there the same fault. Others decode when they are asked for data.
    private static void Compare(SendStreamException? fault, List<SendStreamFinding> findings)
    {
        SendStreamFinding? first = findings.Find(f => s_faults.Contains(f.Code) && f.Code != SendStreamFault.EncodedCorrupt.Code());
        Same(fault is null ? "" : $"{fault.Offset} {fault.Index}", first is null ? "" : $"{first.Offset} {first.Index}");
        if (fault is not null && !findings.Exists(f => f.Index == fault.Index && f.Code == fault.Fault.Code()))
            throw new InvalidOperationException($"'{fault.Message}' is no finding");
    }

    private static void Render(SubvolumeSet set)
    {
        foreach (ReceivedSubvolume subvolume in set.Subvolumes)
            TreeText.Render(subvolume.Tree);
    }

    private void WriteFiles(byte[] input, bool isGood, long number)
    {
        File.WriteAllBytes(_folder / "stream", input);
        Run(isGood, "sendstream-apply", "--no-owner", _folder / "target");
        if (number % 16 != 0)
            return;
        Run(isGood, "sendstream-tar", "--output", _folder / "target");
        Run(isGood: true, ["sendstream-rewrite", "--output", _folder / "target", .. s_changes[number / 16 % s_changes.Length].Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
    }

    private void Run(bool isGood, params string[] args)
    {
        Tools.Result result = Tools.Run([.. args, "--max-file", "1M", "--progress", "none", _folder / "stream"]);
        bool isThere = Files.Exists(_folder / "target");
        if (result.Status is not (0 or 2) || isThere != (result.Status == 0) || (isThere && !isGood))
            throw new InvalidOperationException($"{string.Join(' ', args)}: exit status {result.Status}, {(isThere ? "something" : "nothing")} is written: {result.Err}");
        if (File.ReadAllText(CanaryPath) != Canary)
            throw new InvalidOperationException($"{args[0]}: the canary was written to");
        if (isThere && Directory.Exists(_folder / "target"))
            Directories.RemoveAll(_folder / "target");
        else
            File.Delete(_folder / "target");
        string[] left = [.. Directory.GetFileSystemEntries(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];
        if (left is not ["canary", "stream"])
            throw new InvalidOperationException($"{args[0]}: there is something beside the target: {string.Join(' ', left)}");
    }

    private static void Same(string expected, string found)
    {
        if (expected != found)
            throw new InvalidOperationException($"two readers disagree: '{expected}' and '{found}'");
    }

    /// <summary>Gives a few bytes at a time, as pipes may.</summary>
    private sealed class Dribble(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, 7));
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 7)]);
    }
}
