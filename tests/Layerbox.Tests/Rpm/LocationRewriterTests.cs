using System.Text;
using Layerbox.Rpm;

namespace Layerbox.Tests.Rpm;

/// <summary>Locations are given others, and not a byte changes besides.</summary>
public class LocationRewriterTests
{
    [Theory]
    [InlineData("<location href=\"a.rpm\"/>", "<location href=\"a.rpm\"/>")]
    [InlineData("<location href=\"../a.rpm\"/>", "<location href=\"NEW ../a.rpm\"/>")]
    [InlineData("<location  href = '../a.rpm' />", "<location  href = 'NEW ../a.rpm' />")]
    [InlineData("<c:location xmlns:c=\"x>y\" href=\"../a.rpm\"></c:location>", "<c:location xmlns:c=\"x>y\" href=\"NEW ../a.rpm\"></c:location>")]
    [InlineData("<location xml:base=\"http://x/\" href=\"a.rpm\"/>", "<location href=\"NEW a.rpm http://x/\"/>")]
    [InlineData("<location href=\"a.rpm\"\n xml:base='http://x/'\n/>", "<location href=\"NEW a.rpm http://x/\"\n/>")]
    [InlineData("<location href=\"../a&amp;b&#x20;&lt;.rpm\"/>", "<location href=\"NEW ../a&amp;b &lt;.rpm\"/>")]
    [InlineData("<!-- <location href=\"../a.rpm\"/> -->", "<!-- <location href=\"../a.rpm\"/> -->")]
    [InlineData("<x><![CDATA[<location href=\"../a.rpm\"/>]]></x>", "<x><![CDATA[<location href=\"../a.rpm\"/>]]></x>")]
    [InlineData("<?x <location href=\"../a.rpm\"/> ?>", "<?x <location href=\"../a.rpm\"/> ?>")]
    [InlineData("<format><location href=\"../a.rpm\"/></format>", "<format><location href=\"../a.rpm\"/></format>")]
    [InlineData("<locations href=\"../a.rpm\"/>", "<locations href=\"../a.rpm\"/>")]
    public void Only_what_leaves_the_repository_is_changed(string inside, string expected)
    {
        foreach (string start in (string[])["", "\u00ef\u00bb\u00bf<?xml version=\"1.0\"?>\r\n<!-- > -->\n"])
            foreach (int chunk in (int[])[1, 7, 1000])
                Assert.Equal(Document(start, expected), Rewrite(Document(start, inside), chunk));

        static string Document(string start, string inside) => $"{start}<metadata a=\"'>\">\n <package>\n{inside}<a/>\n</package>\n<package/></metadata>\n";
    }

    [Fact]
    public void Repomd_names_what_is_there_instead()
    {
        const string Document = """
            <?xml version="1.0"?>
            <r:repomd xmlns:r="x"><r:revision>1</r:revision>
              <r:data type="primary_db"><r:location href="repodata/p.sqlite"/></r:data>
              <r:data type="primary">
                <r:checksum type="md5">x</r:checksum><r:location href="../p.xml.zst"/></r:data>
              <r:data type="group"><r:location xml:base="http://x/" href="g.xml"/></r:data>
            </r:repomd>
            """;
        RpmChecksum one = new(RpmDigestAlgorithm.Sha256, "11"), two = new(RpmDigestAlgorithm.Sha256, "22");
        using MemoryStream output = new();
        LocationRewriter.RewriteRepomd(new MemoryStream(Encoding.UTF8.GetBytes(Document)), output, new ReplacedData("repodata/a&b.gz", one, 3, two, 4), Place);
        Assert.Equal(
            """
            <?xml version="1.0"?>
            <r:repomd xmlns:r="x"><r:revision>1</r:revision>
              
              <r:data type="primary">
                <r:checksum type="sha256">11</r:checksum>
                <r:open-checksum type="sha256">22</r:open-checksum>
                <r:location href="repodata/a&amp;b.gz"/>
                <r:size>3</r:size>
                <r:open-size>4</r:open-size>
              </r:data>
              <r:data type="group"><r:location href="NEW g.xml http://x/"/></r:data>
            </r:repomd>
            """,
            Encoding.UTF8.GetString(output.ToArray()));
    }

    [Theory]
    [InlineData("<metadata><package", "ends amid a tag")]
    [InlineData("<metadata><!-- ", "ends amid a tag")]
    [InlineData("<!DOCTYPE metadata><metadata/>", "document type")]
    [InlineData("\u00ff\u00fe<\0", "UTF-16")]
    [InlineData("<?xml version='1.0' encoding='iso-8859-1'?><metadata/>", "its encoding is iso-8859-1")]
    public void What_cannot_be_changed_in_place_is_refused(string document, string expected) =>
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => Rewrite(document, 1000)).Message, StringComparison.Ordinal);

    private static string? Place(string href, string? baseUrl) => baseUrl is null && !href.StartsWith("..", StringComparison.Ordinal) ? null : $"NEW {href} {baseUrl}".TrimEnd();

    private static string Rewrite(string document, int chunk)
    {
        using MemoryStream output = new();
        LocationRewriter.RewritePrimary(new ChunkedStream(Encoding.Latin1.GetBytes(document), chunk), output, Place);
        return Encoding.Latin1.GetString(output.ToArray());
    }

    private sealed class ChunkedStream(byte[] bytes, int chunk) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, chunk));
    }
}
