using System.Text;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class HandleTests
{
    private const string D = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", U = "01234567-89ab-cdef-0123-456789abcdef";
    private const string Good = $$"""{"layer":"web","volume_uuid":"{{U}}","subvolume":"layers/x/volume","uuid":"{{U}}","digest":"{{D}}","recipe":"{{D}}"}""";

    [Fact]
    public void Is_one_line_that_reads_as_it_was_written()
    {
        LayerHandle handle = LayerHandle.Parse(Encoding.UTF8.GetBytes(Good), "h");
        Assert.Equal(new LayerHandle("web", U, "layers/x/volume", U, null, D, D), handle);
        Assert.Equal(Good + "\n", Encoding.UTF8.GetString(handle.ToBytes()));
    }

    [Fact]
    public void Members_of_later_versions_are_passed_over() => LayerHandle.Parse(Encoding.UTF8.GetBytes(Good.Replace("{", """{"more":1,""", StringComparison.Ordinal)), "h");

    [Theory]
    [InlineData("", "", "not the JSON of one")]
    [InlineData(Good, "", "not the JSON of one")]
    [InlineData(Good, "[]", "not the JSON of one")]
    [InlineData(Good, "null", "null")]
    [InlineData("\"layer\":\"web\",", "", "a member is missing")]
    [InlineData("\"web\"", "null", "a member is null")]
    [InlineData("\"web\"", "3", "not the JSON of one")]
    [InlineData("layers/x/volume", "layers/x/y/volume", "subvolume 'layers/x/y/volume' is not of the form layers/ID/volume")]
    [InlineData("layers/x/volume", "layers/../volume", "subvolume 'layers/../volume' is not of the form layers/ID/volume")]
    [InlineData("layers/x/volume", "/etc", "subvolume '/etc' is not of the form layers/ID/volume")]
    [InlineData("\"" + U, "\"x" + U, "a uuid is not of the form 8-4-4-4-12")]
    [InlineData("\"" + D, "\"md5:00", "a digest is not of the form sha256:HEX")]
    [InlineData("\"" + D, "\"sha256:00", "a digest is not of the form sha256:HEX")]
    public void Says_what_is_wrong(string part, string with, string error) =>
        Assert.Equal($"web.layer: no layer handle: {error}",
            Assert.Throws<LayerException>(() => LayerHandle.Parse(Encoding.UTF8.GetBytes(part.Length == 0 ? with : Good.Replace(part, with, StringComparison.Ordinal)), "web.layer")).Message);
}
