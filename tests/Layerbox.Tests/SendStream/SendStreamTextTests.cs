using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

/// <summary>The text of streams against what btrfs prints.</summary>
public class SendStreamTextTests
{
    private static readonly byte[] s_odd = Encoding.Latin1.GetBytes("a b\\c\nd\te\a\b\v\f\r\u001b\u007f\u0001\u00ff\u00c3\u00a9z");

    private static string Text(byte[] bytes) => Encoding.Latin1.GetString(bytes);

    [Theory]
    [InlineData(1, "subvol vol; mkfile a; mkdir a-name-that-is-just-as-long-as-a; mkfifo x*3000; mksock s; mknod n 20644 259; symlink l ../t; rename a b/; link c b/; unlink c; rmdir d/; end")]
    [InlineData(1, "subvol v/; chmod - 7755; chmod / 0; chmod // 644; chown /abs 4294967295 18446744073709551615; truncate f 18446744073709551615; end")]
    [InlineData(1, "snapshot s 33 44; set_xattr f user.a -; set_xattr f user.b xyz; remove_xattr f user.a; write f 5 x*40000; update_extent f 1 99; end")]
    [InlineData(2, "subvol v; clone f 0 4096 g 8192; clone f 0 3221225472 g/ 1 22; fallocate f 3 4096 8192; fallocate f 4294967295 1 2; fileattr f 18446744073709551614; end")]
    [InlineData(2, "subvol v; write f 0 -; write f 0 x*200000; encoded_write f 4096 1 2 0 2 xyz; encoded_write f 0 18446744073709551615 2 3 9 - 7; end")]
    [InlineData(1, "mkfile no-subvolume; subvol v; mkfile a; snapshot w; mkfile b; end")]
    [InlineData(1, "subvol v; utimes f 0; utimes f -1; utimes f 1700000000 999999999; utimes f -62000000000; utimes f 253402300800; utimes f -70000000000; utimes f 951782399; utimes f 951782400; utimes f -2203891200; end")]
    public void Is_what_btrfs_prints(uint version, string script)
    {
        byte[] stream = StreamScript.Make(script, version);
        Assert.Equal(Text(BtrfsDump.Theirs(stream)), Text(BtrfsDump.Ours(stream)));
    }

    [Fact]
    public void Odd_bytes_are_shown_as_btrfs_shows_them()
    {
        using MemoryStream made = new();
        SendStreamWriter writer = new(made, 1);
        writer.Begin(K.Subvol).Bytes(A.Path, s_odd).Uuid(A.Uuid, StreamScript.Uuid("11")).UInt64(A.Ctransid, 7).End();
        foreach (K kind in new[] { K.Mkfile, K.Unlink })
            writer.Begin(kind).Bytes(A.Path, s_odd).UInt64(A.Ino, 257).End();
        foreach (K kind in new[] { K.Symlink, K.Link })
            writer.Begin(kind).Bytes(A.Path, s_odd).UInt64(A.Ino, 257).Bytes(A.PathLink, s_odd).End();
        writer.Begin(K.Rename).Bytes(A.Path, s_odd).Bytes(A.PathTo, s_odd).End();
        writer.Begin(K.SetXattr).Bytes(A.Path, s_odd).Bytes(A.XattrName, s_odd).Bytes(A.XattrData, s_odd).End();
        writer.Begin(K.SetXattr).Bytes(A.Path, "f"u8).Bytes(A.XattrName, "user.a\0b"u8).Bytes(A.XattrData, "c\0d"u8).End();
        writer.Begin(K.RemoveXattr).Bytes(A.Path, s_odd).Bytes(A.XattrName, s_odd).End();
        writer.Begin(K.Clone).Bytes(A.Path, s_odd).UInt64(A.FileOffset, 1).UInt64(A.CloneLength, 2).Uuid(A.CloneUuid, default).UInt64(A.CloneCtransid, 1)
            .Bytes(A.ClonePath, s_odd).UInt64(A.CloneOffset, 3).End();
        writer.Begin(K.End).End();
        writer.Flush();
        Assert.Equal(Text(BtrfsDump.Theirs(made.ToArray())), Text(BtrfsDump.Ours(made.ToArray())));
    }

    [Fact]
    public void The_current_flavour_escapes_everything()
    {
        byte[] stream = StreamScript.Make("subvol v; set_xattr f user.\\ \\\nx; remove_xattr f user.\tx; clone f 0 1 g\n 2; encoded_write f 4096 1 2 0 2 xyz; end", version: 2);
        Assert.Equal("""
            subvol          ./v                             uuid=11111111-1111-1111-1111-111111111111 transid=7
            set_xattr       ./v/f                           name=user.\\ \\\nx len=3
            remove_xattr    ./v/f                           name=user.\tx
            clone           ./v/f                           offset=0 len=1 from=./v/g\n clone_offset=2
            encoded_write   ./v/f                           offset=4096 len=3 unencoded_file_len=1 unencoded_len=2 unencoded_offset=0 compression=2 encryption=0

            """, Text(BtrfsDump.Ours(stream, TextFlavour.Current)));
    }

    [Theory]
    [InlineData("America/New_York")]
    [InlineData("Asia/Kolkata")]
    [InlineData("Australia/Lord_Howe")]
    [InlineData("Africa/Monrovia")]
    public void Times_are_those_of_the_zone(string zone)
    {
        Assert.SkipUnless(TimeZoneInfo.TryFindSystemTimeZoneById(zone, out TimeZoneInfo? found), "needs tzdata");
        using MemoryStream made = new();
        SendStreamWriter writer = new(made, 1);
        writer.Begin(K.Subvol).Bytes(A.Path, "v"u8).Uuid(A.Uuid, StreamScript.Uuid("11")).UInt64(A.Ctransid, 7).End();
        // Around changes of clocks: of Monrovia on 1972-01-07, of New York on 2023-03-12 and 2023-11-05, of Lord Howe on 2023-04-01.
        foreach (long change in new[] { 63_593_070L, 1_678_604_400, 1_699_164_000, 1_680_361_200 })
            for (long seconds = change - 1000; seconds < change + 1000; seconds += 250)
                writer.Begin(K.Utimes).Bytes(A.Path, "f"u8).Time(A.Atime, new Timestamp(seconds)).Time(A.Mtime, new Timestamp(seconds + 1)).Time(A.Ctime, new Timestamp(seconds - 1)).End();
        writer.Begin(K.End).End();
        writer.Flush();
        // .NET knows offsets in minutes; Monrovia's had seconds, which %z does not say but the time does.
        byte[] ours = BtrfsDump.Ours(made.ToArray(), zone: seconds =>
            zone == "Africa/Monrovia" && seconds < 63_593_070 ? -2670 : (int)found.GetUtcOffset(DateTimeOffset.FromUnixTimeSeconds(seconds)).TotalSeconds);
        Assert.Equal(Text(BtrfsDump.Theirs(made.ToArray(), zone)), Text(ours));
    }

    [Fact]
    public void A_time_that_has_no_date_is_its_number() =>
        Assert.Contains("atime=@4611686018427387904 ", Text(BtrfsDump.Ours(StreamScript.Make("subvol v; utimes f 4611686018427387904; end"), zone: _ => null)), StringComparison.Ordinal);

    [Fact]
    public void Goes_on_behind_the_first_end_unless_told_not_to()
    {
        byte[] stream = [.. StreamScript.Make("subvol a; mkfile x; end"), .. StreamScript.Make("snapshot b; unlink x; end", version: 2)];
        Assert.Equal(4, Text(BtrfsDump.Ours(stream)).Count(c => c == '\n'));
        Assert.Equal(Text(BtrfsDump.Theirs(stream)), Text(BtrfsDump.Ours(stream, onlyFirst: true)));
    }
}
