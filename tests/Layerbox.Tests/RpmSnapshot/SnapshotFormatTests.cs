using System.Text;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A snapshot's file is what its id is the digest of: what has been written once is read for ever, and has the same id.</summary>
public class SnapshotFormatTests
{
    private static readonly string s_a = new('a', 64), s_b = new('b', 64), s_c = new('c', 64);

    private static readonly string s_first = $$"""
        {"format":1,"repos":[{"name":"base","revision":"one","repomd":"{{s_a}}","files":[{"type":"primary","location":"repodata/p.xml","object":"{{s_b}}","size":7}],"packages":2,"package_bytes":30}]}

        """;

    private static readonly string s_full = $$"""
        {"format":1,"view_of":"{{s_a}}","policy":"{{s_b}}","repos":[{"name":"base","universe":"u","repomd":"{{s_a}}","repomd_signature":"{{s_b}}","keys":["{{s_c}}","{{s_a}}"],"files":[],"extra":[{"path":".treeinfo","object":"{{s_c}}","size":3}],"packages":1,"package_bytes":0,"missing":[{"nevra":"x-1-1.noarch","location":"x.rpm","checksum":"sha256:{{s_a}}","reason":"the server says 404"}]}]}

        """;

    [Fact]
    public void The_first_form_keeps_its_id()
    {
        Assert.Equal("cad240f39194cda35cb6e56c00b340f4925f7b7fcb30d462104c62cd045e679f", Snapshot.Parse(Encoding.UTF8.GetBytes(s_first)).Id);
    }

    [Fact]
    public void What_is_read_is_written()
    {
        foreach (string text in new[] { s_first, s_full })
            Assert.Equal(text, Encoding.UTF8.GetString(Snapshot.Parse(Encoding.UTF8.GetBytes(text)).ToBytes()));
        Snapshot full = Snapshot.Parse(Encoding.UTF8.GetBytes(s_full));
        Assert.Equal([s_a, s_b, s_c, s_a, s_c, s_b], full.Objects);
        Assert.NotEqual(full.Id, (full with { ViewOf = s_c }).Id);
    }

    [Theory]
    [InlineData("\"keys\":[\"", "\"keys\":[\"../")]
    [InlineData("\"format\":1", "\"format\":2")]
    [InlineData("\"repomd_signature\":\"b", "\"repomd_signature\":\"B")]
    [InlineData("\"missing\":[{", "\"missing\":[7,{")]
    public void What_is_none_is_refused(string from, string to) =>
        Assert.Throws<InvalidDataException>(() => Snapshot.Parse(Encoding.UTF8.GetBytes(s_full.Replace(from, to, StringComparison.Ordinal))));
}
