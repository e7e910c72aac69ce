using System.Globalization;
using System.Text;
using Layerbox.FileTree;
using Layerbox.Rootfs;
using Layerbox.SendStream;
using Layerbox.Tests.Btrfs;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

/// <summary>What btrfs receive makes of canonical streams, full ones and chains.</summary>
public sealed class CanonicalReceiveTests(SharedVolume volume) : IClassFixture<SharedVolume>
{
    private const string States = """
        state() { sync -f .; btrfs -q subvolume snapshot -r work "$1"; }
        btrfs -q subvolume create work; cd work
        mkdir -p d/e/f inv/a/b/c acl setgid props moved 'odd '$'\xff'; head -c 300000 /dev/urandom > random; seq 50000 > text; : > empty
        head -c 400000 random > sparse; fallocate -p -o 40960 -l 200704 sparse; truncate -s 900000 sparse; touch $'\xff\xfe' $'new\nline' "$(printf 'n%.0s' {1..255})"
        echo 1 > l1; ln l1 l2; ln l1 d/l3; echo 2 > m1; ln m1 m2; mknod null c 1 3; mknod big b 4095 1048575; mkfifo pipe; ln -s target sym; ln -s "$(printf 'y%.0s' {1..3000})" long
        head -c 20000 random > swapA; head -c 30000 text > swapB; echo f > to-dir; mkdir -p to-file/x; echo g > to-file/x/g; echo x > inv/a/b/c/x
        cp /bin/true suid; chown 1:2 suid; chmod 6755 suid; cp /bin/true cap; setcap cap_net_raw+ep cap; echo rest > after-cap; cp cap cap-written; setcap cap_net_raw+ep cap-written; cp cap cap-lost; setcap cap_chown+p cap-lost
        setfacl -d -m u:1000:rwx acl; setfacl -m u:1000:rw random; chmod 2775 setgid; chgrp 5 setgid; setfattr -n btrfs.compression -v zstd props; setfattr -n user.a -v 1 text; setfattr -n trusted.t -v 0x00ff d
        seq 300 | split -l 3 - moved/; chmod 1777 d; chown -h 5:4294967294 sym; touch -d @-1.5 empty; touch -h -d '2333-01-01' sym; touch -d '1901-02-03 04:05:06.789' d; touch -d @77.7 .
        cd ..; state s0; cd work
        mv swapA t; mv swapB swapA; mv t swapB; mv d d.new; mv d.new/e e; mv inv/a/b/c inv/c; mv inv/a inv/c/a; rm to-dir; mkdir to-dir; echo y > to-dir/y; rm -r to-file; echo now > to-file
        rm l1; ln l2 l4; rm m2; cp -p m1 m2; ln d.new/l3 e/l5; ln -sfn target2 sym; rm null; mknod null c 1 5; mv moved elsewhere; mv $'\xff\xfe' $'\xfe\xff'; rm pipe; mkdir pipe
        echo in > acl/new; mkdir acl/sub; echo in > acl/sub/new; mkdir setgid/sub; echo in > setgid/sub/new; seq 9000 > props/new; chown 3:4 suid; chmod 6711 suid; chown 1 cap; setcap cap_net_raw+ep cap
        dd if=/dev/urandom of=cap-written bs=1 count=9 seek=3000 conv=notrunc status=none; setcap cap_sys_admin+ep cap-written; echo more >> cap-lost; fallocate -p -o 4096 -l 100000 random; truncate -s 299999 random
        dd if=/dev/urandom of=sparse bs=4096 count=2 seek=20 conv=notrunc status=none; truncate -s 700001 sparse; setfacl -x u:1000 random; setfattr -x user.a text; setfattr -n user.b -v 2 text; echo more >> text
        cd ..; state s1; cd work
        cp --reflink=always text text.clone; cp --reflink=always random random.clone; rm -r elsewhere/* e; setfacl -b -k acl; setfattr -x btrfs.compression props; chmod 755 setgid; cat swapB >> swapA; mv sparse "$(printf 's%.0s' {1..255})"
        chown -R 7:8 acl; rm -r pipe to-dir; echo f > to-dir; setcap -r cap; touch -d @78.000000001 .
        cd ..; state s2; state s3; cd work
        touch -d @79 .; mkdir -p to-file.d; mv to-file to-file.d/to-file; rm -rf inv; mv to-file.d inv; ln text.clone inv/text; rm text
        cd ..; state s4
        """;

    private static string Mark(uint version, bool reflinks) => string.Create(CultureInfo.InvariantCulture, $"v{version}{(reflinks ? "-reflinks" : "")}");

    [Fact]
    public void Chains_are_received_as_the_trees_that_were_sent()
    {
        string folder = volume.Folder();
        Programs.Shell($"cd {folder}; {States.ReplaceLineEndings("; ")}");
        foreach ((uint version, bool reflinks) in new[] { (1u, false), (2u, false), (2u, true) })
        {
            string received = $"{folder}/{Mark(version, reflinks)}", stream = $"{received}.stream";
            Directory.CreateDirectory(received);
            for (int i = 0; i < 5; i++)
            {
                string[] parent = i == 0 ? [] : ["--parent", $"{folder}/s{i - 1}"], more = reflinks ? ["--reflinks"] : [];
                File.WriteAllBytes(stream, Tools.Run(["sendstream-make", "--canonical", "--proto", $"{version}", .. parent, .. more, $"{folder}/s{i}"]).AssertSucceeded().Bytes);
                Programs.Run("btrfs", "-q", "receive", "-f", stream, received);
                Assert.Empty(TreeDifference.Compare(RootfsReader.Read($"{folder}/s{i}"), RootfsReader.Read($"{received}/s{i}")));
                if (version == 1)
                    Listing.AssertSame(Listing.OfFolder($"{folder}/s{i}"), Listing.OfFolder($"{received}/s{i}"));
                Assert.True(new FileInfo(stream).Length < (i == 0 ? 3_000_000 : 700_000), $"s{i}: {new FileInfo(stream).Length} bytes");
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_chains_are_received(uint version)
    {
        string folder = volume.Folder();
        for (int seed = 0; seed < 3; seed++)
        {
            RandomChanges random = new(seed);
            Tree? parent = null;
            for (int i = 0; i < 6; i++)
            {
                Tree tree = parent is null ? random.Make() : random.Change(parent);
                string name = $"{seed}-{i}", stream = $"{folder}/{name}.stream";
                using (FileStream output = File.Create(stream))
                    CanonicalSendStream.Write(output, tree, new FileName(name), new CanonicalSendOptions { Parent = parent, Version = version });
                Programs.Run("btrfs", "-q", "receive", "-f", stream, folder);
                Assert.Empty(TreeDifference.Compare(tree, RootfsReader.Read($"{folder}/{name}")));
                parent = tree;
            }
        }
    }

    [Fact]
    public void A_parent_that_the_kernel_sent_is_named_by_its_own_uuid()
    {
        string folder = volume.Folder();
        Programs.Shell($"""
            cd {folder}; btrfs -q subvolume create work; head -c 100000 /dev/urandom > work/a; btrfs -q subvolume snapshot -r work one; mv work/a work/b; btrfs -q subvolume snapshot -r work two
            mkdir there; btrfs -q send one | btrfs -q receive there
            """);
        string uuid = Programs.Shell($"btrfs subvolume show {folder}/one | sed -n 's/.*[^d] UUID:[[:blank:]]*//p;s/^[[:blank:]]UUID:[[:blank:]]*//p' | head -1").Trim();
        File.WriteAllBytes($"{folder}/stream", Tools.Run("sendstream-make", "--canonical", "--parent", $"{folder}/one", "--parent-uuid", uuid, $"{folder}/two").AssertSucceeded().Bytes);
        Programs.Run("btrfs", "-q", "receive", "-f", $"{folder}/stream", $"{folder}/there");
        Assert.Empty(TreeDifference.Compare(RootfsReader.Read($"{folder}/two"), RootfsReader.Read($"{folder}/there/two")));
    }

    [Fact]
    public void Holes_are_kept()
    {
        string folder = volume.Folder();
        Programs.Shell($"""
            cd {folder}; btrfs -q subvolume create work; cd work
            head -c 1000000 /dev/urandom > punched; fallocate -p -o 65536 -l 400000 punched; truncate -s 5000000 tail; printf x > tail; truncate -s 5000000 tail; truncate -s 70000000 all
            head -c 5000 /dev/urandom | dd of=front seek=9000001 bs=1 status=none; sync -f .; cd ..; btrfs -q subvolume snapshot -r work one; cd work
            fallocate -p -o 800000 -l 300000 punched; fallocate -p -o 0 -l 4096 tail; truncate -s 60000000 all; printf y | dd of=all bs=1 seek=40000000 conv=notrunc status=none
            sync -f .; cd ..; btrfs -q subvolume snapshot -r work two; mkdir there
            """);
        foreach ((string name, string[] parent) in new[] { ("one", Array.Empty<string>()), ("two", ["--parent", $"{folder}/one"]) })
        {
            File.WriteAllBytes($"{folder}/stream", Tools.Run(["sendstream-make", "--canonical", "--proto", "2", .. parent, $"{folder}/{name}"]).AssertSucceeded().Bytes);
            Programs.Run("btrfs", "-q", "receive", "-f", $"{folder}/stream", $"{folder}/there");
            Programs.Run("sync", "-f", folder);
            Tree sent = RootfsReader.Read($"{folder}/{name}"), received = RootfsReader.Read($"{folder}/there/{name}");
            foreach (string file in new[] { "punched", "tail", "all", "front" })
            {
                FileContent content = sent.Root.Child(new FileName(file))!.Content!;
                Assert.Contains(content.Extents, extent => extent.IsHole);
                Assert.Equal(content.Extents, received.Root.Child(new FileName(file))!.Content!.Extents);
            }
        }
    }

    [Fact]
    public void What_is_shared_on_disk_is_shared_at_the_receiver()
    {
        string folder = volume.Folder();
        Programs.Shell($"""
            cd {folder}; btrfs -q subvolume create work; cd work; head -c 300001 /dev/urandom > a; head -c 100000 /dev/urandom > old; sync -f .
            cp --reflink=always a b; head -c 50000 /dev/urandom >> b; head -c 8192 /dev/urandom > c; sync -f .; xfs_io -f -c 'reflink a 65536 8192 131072' c 2>/dev/null || cp --reflink=always a c
            sync -f .; cd ..; btrfs -q subvolume snapshot -r work one; cd work
            cp --reflink=always old copy; printf x >> copy; cp --reflink=always b new; printf yz | dd of=new bs=1 seek=5000 conv=notrunc status=none; printf z >> a; sync -f .; cd ..; btrfs -q subvolume snapshot -r work two; mkdir there plain
            """);
        Programs.Shell($"cd {folder}; btrfs -q send -f one.stream one; btrfs -q send -f two.stream -p one two");
        string[] Streams(string[] words) => [.. words.Select(word => word.StartsWith(folder, StringComparison.Ordinal) ? word + ".stream" : word)];
        foreach ((string name, string[] parent) in new[] { ("one", Array.Empty<string>()), ("two", ["--parent", $"{folder}/one"]) })
        {
            foreach ((string into, string[] options) in new[] { ("there", new[] { "--reflinks" }), ("plain", []) })
            {
                byte[] stream = Tools.Run(["sendstream-make", "--canonical", .. parent, .. options, $"{folder}/{name}"]).AssertSucceeded().Bytes;
                File.WriteAllBytes($"{folder}/stream", stream);
                byte[] again = Tools.Run(["sendstream-make", "--canonical", .. Streams(parent), .. options, .. Streams([$"{folder}/{name}"])]).AssertSucceeded().Bytes;
                Assert.Equal(options.Length > 0, ClonesOf(again).Count > 0);
                if (parent.Length == 0) // of changes the kernel's stream itself writes some of what is shared
                    Assert.Equal(ClonesOf(stream), ClonesOf(again));
                Programs.Run("btrfs", "-q", "receive", "-f", $"{folder}/stream", $"{folder}/{into}");
                Assert.Equal(options.Length > 0, ClonesOf(stream).Count > 0);
            }
            Programs.Run("sync", "-f", folder);
            Assert.Empty(TreeDifference.Compare(RootfsReader.Read($"{folder}/{name}"), RootfsReader.Read($"{folder}/there/{name}")));
            Assert.Equal(SharedBytes($"{folder}/{name}"), SharedBytes($"{folder}/there/{name}"));
            Assert.NotEqual(SharedBytes($"{folder}/{name}"), SharedBytes($"{folder}/plain/{name}"));
        }
    }

    // The kernel names the old place of data that was overwritten until it is written back.
    [Fact]
    public void What_was_just_overwritten_is_not_taken_for_shared()
    {
        string folder = volume.Folder();
        Programs.Shell($"cd {folder}; mkdir a b; head -c 1M /dev/urandom > a/x; sync -f .; cp --reflink=always a/x a/y; cp --reflink=always a/x b/x; touch -r a/x b/x");
        Programs.Shell($"cd {folder}; for f in a/y b/x; do printf new | dd of=$f bs=1 seek=500000 conv=notrunc status=none; touch -r a/x $f; done");
        foreach (string[] parent in new[] { [], new[] { "--parent", $"{folder}/a" } })
        {
            Tree sent = RootfsReader.Read(parent.Length == 0 ? $"{folder}/a" : $"{folder}/b");
            byte[] stream = Tools.Run(["sendstream-make", "--canonical", "--reflinks", .. parent, parent.Length == 0 ? $"{folder}/a" : $"{folder}/b"]).AssertSucceeded().Bytes;
            Assert.Empty(TreeDifference.Compare(sent, CanonicalText.Apply(stream, RootfsReader.Read($"{folder}/a"))));
        }
    }

    private static List<string> ClonesOf(byte[] stream)
    {
        SendStreamReader reader = new(new MemoryStream(stream));
        List<string> lines = [];
        while (reader.Read())
            if (reader.Command is { Kind: K.Clone } clone)
                lines.Add($"{clone.UInt64(SendAttribute.FileOffset)}+{clone.UInt64(SendAttribute.CloneLength)} of {Encoding.UTF8.GetString(clone.Bytes(SendAttribute.ClonePath))} at {clone.UInt64(SendAttribute.CloneOffset)}");
        return lines;
    }

    /// <summary>How many bytes of the data that files refer to are stored once for several.</summary>
    private static long SharedBytes(string subvolume)
    {
        List<StoredRun> runs = [.. RootfsReader.Read(subvolume).Walk().Select(e => e.Value.Content).OfType<DiskContent>().SelectMany(content => content.FindStorage()).OrderBy(run => run.Address)];
        long shared = 0;
        UInt128 end = 0;
        foreach (StoredRun run in runs)
        {
            UInt128 last = run.Address + (UInt128)run.Length;
            shared += (long)(UInt128.Min(end, last) - UInt128.Min(end, run.Address));
            end = UInt128.Max(end, last);
        }
        return shared;
    }
}
