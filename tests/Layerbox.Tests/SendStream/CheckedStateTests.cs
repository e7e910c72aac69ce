using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>What a check remembers is worth as much as a tree: both find the same, command by command.</summary>
public sealed class CheckedStateTests
{
    private static readonly string[] s_paths = ["a", "b", "c", "d", "a/a", "a/b", "a/b/c", "b/a", "c/a", "d/..", "-"], s_uuids = ["11", "22", "33", "44", "55", "77"];

    [Fact]
    public void Finds_what_a_tree_finds()
    {
        const int Streams = 250;
        HashSet<SendStreamFault> seen = [];
        for (int seed = 0; seed < Streams; seed++)
        {
            string script = Script(new Random(seed));
            byte[] stream = StreamScript.Make(script, 2);
            List<string> expected = OfTree(stream, seen), found = [];
            using SendStreamCheck check = new(finding =>
            {
                if (finding.Severity == FindingSeverity.Error)
                    found.Add($"{finding.Index} {finding.Message}");
            });
            check.Check(new SendStreamReader(new MemoryStream(stream)));
            int same = expected.Zip(found).TakeWhile(pair => pair.First == pair.Second).Count();
            Assert.True(
                same == expected.Count && same == found.Count,
                $"seed {seed}: {script}\nexpected: {expected.ElementAtOrDefault(same)}\nfound: {found.ElementAtOrDefault(same)}");
        }
        Assert.Superset(
            new HashSet<SendStreamFault>
            {
                SendStreamFault.NotFound, SendStreamFault.Exists, SendStreamFault.NotADirectory, SendStreamFault.ThroughSymlink, SendStreamFault.IsADirectory,
                SendStreamFault.NotAFile, SendStreamFault.NotEmpty, SendStreamFault.IntoItself, SendStreamFault.XattrMissing, SendStreamFault.CloneRange,
                SendStreamFault.CloneOverlap, SendStreamFault.PathIsRoot, SendStreamFault.PathDots,
            },
            seen);
    }

    // A full stream, one upon it, one upon an unknown parent, and one upon that; with few names, so that commands meet.
    private static string Script(Random random)
    {
        List<string> lines = [];
        foreach (string start in new[] { "subvol vol 11", "snapshot vol 22 11", "snapshot vol 33 99", "snapshot vol 44 33", "snapshot vol 55 22" })
        {
            lines.Add(start);
            for (int i = random.Next(40); i > 0; i--)
                lines.Add(Line(random));
        }
        return string.Join(';', lines) + ";end";
    }

    private static string Line(Random random)
    {
        string path = s_paths[random.Next(s_paths.Length)], other = s_paths[random.Next(s_paths.Length)];
        int offset = random.Next(20), length = random.Next(1, 20);
        return random.Next(18) switch
        {
            0 or 1 => $"mkdir {path}",
            2 or 3 => $"mkfile {path}",
            4 => $"symlink {path} x",
            5 => $"mkfifo {path}",
            6 or 7 or 8 => $"rename {path} {other}",
            9 => $"link {path} {other}",
            10 => $"unlink {path}",
            11 => $"rmdir {path}",
            12 => $"write {path} {offset} x*{length}",
            13 => $"truncate {path} {offset}",
            14 or 15 => $"clone {path} {offset} {length} {other} {random.Next(5)} {s_uuids[random.Next(s_uuids.Length)]}",
            16 => $"set_xattr {path} user.{random.Next(3)} v",
            _ => $"remove_xattr {path} user.{random.Next(3)}",
        };
    }

    private static List<string> OfTree(byte[] stream, HashSet<SendStreamFault> seen)
    {
        SubvolumeSet set = new() { AllowUnknownParent = true, AllowNoData = true };
        var receiver = set.NewReceiver();
        List<string> errors = [];
        SendStreamReader reader = new(new MemoryStream(stream));
        while (reader.Read())
            try
            {
                receiver.Receive(reader.Command);
            }
            catch (SendStreamException e)
            {
                errors.Add($"{e.Index} {e.Reason}");
                seen.Add(e.Fault);
            }
        return errors;
    }
}
