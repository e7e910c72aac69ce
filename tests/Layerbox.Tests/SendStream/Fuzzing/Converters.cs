using Layerbox.Archive;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream.Fuzzing;

/// <summary>Hands an input to all that makes something else of send-streams, and compares what that describes with the input.</summary>
internal static class Converters
{
    /// <summary>Contents of exabytes are described by a few bytes, and would be written for ever.</summary>
    public static readonly SendStreamLimits Limits = new() { MaxContentSize = 1 << 20 };

    private const string Good = "good";

    private static readonly (string Name, RewriteOptions Options, bool KeepsTree)[] s_rewrites =
    [
        ("version 1", new RewriteOptions { Version = 1 }, true),
        ("version 2", new RewriteOptions { Version = 2 }, true),
        ("none", new RewriteOptions { Compression = WriteCompression.None, JoinWrites = true }, true),
        ("zlib", new RewriteOptions { Compression = WriteCompression.Zlib, Level = 1, Threads = 1 }, true),
        ("zstd", new RewriteOptions { Compression = WriteCompression.Zstd, Level = 1, Threads = 1 }, true),
        ("owner", new RewriteOptions { Owner = (1, 2), LatestTime = new Timestamp(3) }, false),
        ("map", new RewriteOptions { Users = new IdMap([new IdMap.Range(0, 1000, 10)], false), Groups = new IdMap([], true), StripTimes = true }, false),
        ("identity", new RewriteOptions { Identity = new SubvolumeIdentity(new FileName("new"u8.ToArray()), Guid.AllBitsSet), Only = ["vol"u8.ToArray()] }, false),
    ];

    /// <summary>Does the conversions that are this number's turn; says how one ended.</summary>
    /// <param name="input">The input.</param>
    /// <param name="fault">What is wrong with it, as a receiver sees it.</param>
    /// <param name="set">What was received.</param>
    /// <param name="number">Of the input.</param>
    /// <exception cref="Exception">Anything: it is a bug.</exception>
    public static string Run(byte[] input, SendStreamException? fault, SubvolumeSet set, long number)
    {
        Copy(input);
        (string name, RewriteOptions options, bool keepsTree) = s_rewrites[number % s_rewrites.Length];
        if (options.Compression is WriteCompression.Zlib or WriteCompression.Zstd && number / s_rewrites.Length % 16 != 0)
            options = options with { Version = 2, Compression = WriteCompression.None }; // starting a compressor takes longer than all the rest
        string answer = Rewrite(input, options, out byte[] output);
        // Version 1 has no words for a punch beyond the end of a file that leaves its length, and none for preallocation.
        if (keepsTree && fault is null && answer == Good && !Commands(input).Contains(SendCommandKind.Fallocate))
            Same(set, output, name);
        switch (number % 4)
        {
            case 0:
                Repair(input, fault);
                break;
            case 1 when fault is null:
                Normalise(set);
                break;
            case 2:
                Tar(set);
                break;
        }
        return $"{name}: {answer}";
    }

    private static string Rewrite(byte[] input, RewriteOptions options, out byte[] output)
    {
        using MemoryStream written = new();
        using SendStreamRewriter rewriter = new(written, options with { Limits = Limits });
        string answer = Answer(() =>
        {
            rewriter.Rewrite(new SendStreamReader(new MemoryStream(input), Limits));
            rewriter.Complete();
        });
        output = written.ToArray();
        return answer;
    }

    // With no option all that can be read is copied, whatever it means.
    private static void Copy(byte[] input)
    {
        string answer = Rewrite(input, new RewriteOptions(), out byte[] output), read = Answer(() => Commands(input));
        if (answer != read || (answer == Good && !output.AsSpan().SequenceEqual(input)))
            throw new InvalidOperationException($"read: {read}; copied: {answer}, {output.Length} bytes of {input.Length}");
    }

    // What comes out can be read to its end; what was whole comes out whole.
    private static void Repair(byte[] input, SendStreamException? fault)
    {
        StreamRepair? repair = null;
        string answer = Answer(() => repair = StreamRepair.Of(new MemoryBytes(input), input.Length, Limits));
        if (repair is null)
        {
            if (fault is null)
                throw new InvalidOperationException($"a good stream cannot be repaired: {answer}");
            return;
        }
        using MemoryStream repaired = new();
        using (Stream stream = repair.Open())
            stream.CopyTo(repaired);
        _ = Commands(repaired.ToArray());
        if (fault is null && !repaired.ToArray().AsSpan().SequenceEqual(input))
            throw new InvalidOperationException("a good stream was repaired");
    }

    private static void Normalise(SubvolumeSet set)
    {
        foreach (ReceivedSubvolume subvolume in set.Subvolumes.Where(subvolume => IsReadable(subvolume.Tree)))
        {
            using MemoryStream output = new();
            CanonicalSendStream.Write(output, subvolume.Tree, subvolume.Name, new CanonicalSendOptions { Version = 2 });
            Same(subvolume, Receive(output.ToArray()).Subvolumes.Single(), "canonical");
        }
    }

    private static void Tar(SubvolumeSet set)
    {
        foreach (ReceivedSubvolume subvolume in set.Subvolumes)
        {
            using MemoryStream output = new();
            if (Answer(() => TarWriter.Write(output, subvolume.Tree)) != Good)
                continue;
            output.Position = 0;
            Same(subvolume.Tree, TarTree.Read(output, new MemoryContentStore()), "tar");
        }
    }

    private static void Same(SubvolumeSet set, byte[] output, string name)
    {
        SubvolumeSet again = Receive(output);
        if (again.Subvolumes.Count != set.Subvolumes.Count)
            throw new InvalidOperationException($"{name}: {again.Subvolumes.Count} subvolumes of {set.Subvolumes.Count}");
        for (int i = 0; i < set.Subvolumes.Count; i++)
            if (IsReadable(set.Subvolumes[i].Tree))
                Same(set.Subvolumes[i], again.Subvolumes[i], name);
    }

    private static void Same(ReceivedSubvolume expected, ReceivedSubvolume found, string name) => Same(expected.Tree, found.Tree, $"{name}: '{expected.Name}'");

    private static void Same(Tree expected, Tree found, string name)
    {
        IReadOnlyList<TreeChange> changes = TreeDifference.Compare(expected, found);
        if (changes.Count > 0)
            throw new InvalidOperationException($"{name}: {TreeDifferenceText.Line(changes[0])}");
    }

    private static SubvolumeSet Receive(byte[] input)
    {
        SubvolumeSet set = new(Limits);
        set.Receive(new MemoryStream(input), new MemoryBytes(input));
        return set;
    }

    private static List<SendCommandKind> Commands(byte[] input)
    {
        SendStreamReader reader = new(new MemoryStream(input), Limits);
        List<SendCommandKind> kinds = [];
        while (reader.Read())
            kinds.Add(reader.Command.Kind);
        return kinds;
    }

    // Whether all contents are small, and what is compressed can be decoded.
    private static bool IsReadable(Tree tree) => Answer(() =>
    {
        foreach ((_, Inode inode) in tree.Walk())
            _ = inode.Content?.Digest;
    }) == Good;

    private static string Answer(Action work)
    {
        try
        {
            work();
            return Good;
        }
        catch (SendStreamException e)
        {
            return $"{e.Fault.Code()} {e.Kind}";
        }
        catch (InvalidDataException)
        {
            return "refused";
        }
    }
}
