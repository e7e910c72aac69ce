using System.Text;
using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public class SpecificationTests
{
    private const string Modes = "octal (\"0755\") or additive symbolic (\"u+rwx,og+rx\") is";

    [Theory]
    [InlineData("", "empty, expected a JSON object")]
    [InlineData("\uFEFF{}", "line 1, column 1: begins with a byte order mark, which JSON does not have")]
    [InlineData("{\n  \"name\": web}", "line 2, column 11: 'w' is an invalid start of a value")]
    [InlineData("{} x", "line 1, column 4: 'x' is invalid after a single JSON value. Expected end of data")]
    [InlineData("[]", "an object is expected, not a list")]
    [InlineData("{}", "member 'name' is missing")]
    [InlineData("""{"name": 3}""", "member 'name': a string is expected, not the number 3")]
    [InlineData("""{"name": null}""", "member 'name': a string is expected, not null")]
    [InlineData("""{"name": ""}""", $"member 'name': '' is no name for a layer: {LayerName.Rule}")]
    [InlineData("""{"name": ".."}""", $"member 'name': '..' is no name for a layer: {LayerName.Rule}")]
    [InlineData("""{"name": "a/b"}""", $"member 'name': 'a/b' is no name for a layer: {LayerName.Rule}")]
    [InlineData("""{"name": "a\u001b[31m"}""", $"member 'name': 'a\u001b[31m' is no name for a layer: {LayerName.Rule}")]
    [InlineData("""{"name": "a", "parent": "x\u0000"}""", "parent: 'x\0' holds a NUL, which no path does")]
    [InlineData("""{"name": "a", "name": "b"}""", "member 'name' is given twice")]
    [InlineData("""{"name": "a", "parent": "b", "parent": "c"}""", "member 'parent' is given twice")]
    [InlineData("""{"name": "a", "parent": ["b", "c"]}""", "member 'parent': a string is expected, not a list")]
    [InlineData("""{"name": "a", "nome": "b"}""", "unknown member 'nome'; known are allow_host_mounts, features, name, parent, rpm_snapshot, self_contained, source_date_epoch")]
    [InlineData("""{"name": "\ud800"}""", "member 'name': half a surrogate pair; use 'name_b64' for bytes that are not UTF-8")]
    [InlineData("""{"name": "a", "source_date_epoch": "now"}""", "member 'source_date_epoch': a whole number is expected, not a string")]
    [InlineData("""{"name": "a", "source_date_epoch": 1.5}""", "member 'source_date_epoch': a whole number is expected, not the number 1.5")]
    [InlineData("""{"name": "a", "self_contained": 1}""", "member 'self_contained': true or false is expected, not the number 1")]
    [InlineData("""{"name": "a", "features": {}}""", "member 'features': a list is expected, not an object")]
    [InlineData("""{"name": "a", "features": ["x"]}""", "features[0]: an object is expected, not a string")]
    [InlineData("""{"name": "a", "allow_host_mounts": [1]}""", "member 'allow_host_mounts[0]': a string is expected, not the number 1")]
    public void Says_where_a_specification_is_wrong(string json, string error) => Assert.Equal($"a.layer.json: {error}", Error(json));

    [Theory]
    [InlineData("""{}""", "member 'item' is missing")]
    [InlineData("""{"item":"instal"}""", "unknown item 'instal'; known are clone, config, ensure_dirs, extract, group_add, hardlink, include, install, mknod, mount, remove, requires, rpms_install, rpms_remove, run, symlink, systemd_unit, tarball, text, user_add")]
    [InlineData("""{"item":"text","text":"x"}""", "member 'dest' is missing")]
    [InlineData("""{"item":"text","dest":"/x"}""", "member 'text' is missing")]
    [InlineData("""{"item":"text","dest":"/x","text":["x"]}""", "member 'text': a string is expected, not a list")]
    [InlineData("""{"item":"text","dest":"/x","text":"","text_b64":""}""", "'text' and 'text_b64' exclude each other")]
    [InlineData("""{"item":"text","dest":"/x","text_b64":"*"}""", "member 'text_b64': not base64")]
    [InlineData("""{"item":"text","dest":"","text":""}""", "member 'dest' is empty; the root of the image is \"/\"")]
    [InlineData("""{"item":"text","dest":"/a/../../x","text":""}""", "member 'dest': '/a/../../x' leads above the root")]
    [InlineData("""{"item":"text","dest":"..","text":""}""", "member 'dest': '..' leads above the root")]
    [InlineData("""{"item":"text","dest":"/x","text":"","made":1}""", "unknown member 'made'; known are dest, group, item, mode, setcap, text, user, xattrs")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":"0999"}""", $"member 'mode': '0999' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":"10000"}""", $"member 'mode': '10000' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":"u=rw"}""", $"member 'mode': 'u=rw' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":"u-x"}""", $"member 'mode': 'u-x' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":"a+X"}""", $"member 'mode': 'a+X' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":"+x"}""", $"member 'mode': '+x' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":""}""", $"member 'mode': '' is no mode; {Modes}")]
    [InlineData("""{"item":"text","dest":"/x","text":"","mode":493}""", "member 'mode': a string is expected, not the number 493")]
    [InlineData("""{"item":"text","dest":"/x","text":"","user":-1}""", "member 'user': -1 is not between 0 and 4294967294")]
    [InlineData("""{"item":"text","dest":"/x","text":"","user":""}""", "member 'user' is empty")]
    [InlineData("""{"item":"text","dest":"/x","text":"","user":"a:b"}""", "member 'user': 'a:b' is no name of a user or group")]
    [InlineData("""{"item":"text","dest":"/x","text":"","xattrs":{"a":"b"}}""", "member 'xattrs': 'a' has no namespace, like \"user.a\"")]
    [InlineData("""{"item":"text","dest":"/x","text":"","xattrs":{"user.a":"0x0"}}""", "member 'xattrs': the value of 'user.a' is neither hexadecimal after 0x nor base64 after 0s")]
    [InlineData("""{"item":"text","dest":"/x","text":"","setcap":"cap_fly=ep"}""", "member 'setcap': 'cap_fly=ep' is not of the form \"cap_net_bind_service,cap_net_raw=ep\"")]
    [InlineData("""{"item":"text","dest":"/x","text":"","setcap":"cap_chown=ep","xattrs":{"security.capability":"0x00"}}""", "'setcap' and the extended attribute 'security.capability' exclude each other")]
    [InlineData("""{"item":"text","dest":"/x","text":"","xattrs":{"user.":"b"}}""", "member 'xattrs': 'user.' is no name of an extended attribute")]
    [InlineData("""{"item":"text","dest":"/x","text":"","xattrs":{"user.a\u0000b":"b"}}""", "member 'xattrs': 'user.a\0b' is no name of an extended attribute")]
    [InlineData("""{"item":"symlink","target":"","link":"/x"}""", "member 'target' is empty")]
    [InlineData("""{"item":"install","source":"","dest":"/x"}""", "an empty name leads nowhere")]
    [InlineData("""{"item":"install","source":"a\u0000b","dest":"/x"}""", "'a\0b' holds a NUL, which no path does")]
    [InlineData("""{"item":"include","feature":"\u0000"}""", "'\0' holds a NUL, which no path does")]
    [InlineData("""{"item":"run","command":["ls"],"inputs":{"a\u0000":"y"}}""", "member 'inputs': 'a\0' is no name for a file below /run/inputs")]
    [InlineData("""{"item":"install","source":"x","dest":"/"}""", null)]
    [InlineData("""{"item":"install","source":"..","dest":"/d/"}""", "member 'dest' ends in a slash, but '..' has no name that could come after it")]
    [InlineData("""{"item":"mknod","path":"/x","type":"sock"}""", "member 'type': 'sock' is none of char, block, fifo")]
    [InlineData("""{"item":"mknod","path":"/x","type":"char","major":1}""", "a device needs 'major' and 'minor'")]
    [InlineData("""{"item":"mknod","path":"/x","type":"fifo","major":1}""", "a fifo has no 'major' and 'minor'")]
    [InlineData("""{"item":"mknod","path":"/x","type":"block","major":4096,"minor":0}""", "member 'major': 4096 is not between 0 and 4095")]
    [InlineData("""{"item":"remove","path":"/"}""", "member 'path': the root of the image cannot be removed")]
    [InlineData("""{"item":"remove","path":"/x","must_exist":"no"}""", "member 'must_exist': true or false is expected, not a string")]
    [InlineData("""{"item":"tarball","source":"x","into":"/","sha256":"00"}""", "member 'sha256': '00' is no sha256 digest")]
    [InlineData("""{"item":"requires"}""", "nothing is required; give files, directories, executables, paths, users or groups")]
    [InlineData("""{"item":"requires","files":["/a","../b"]}""", "member 'files[1]': '../b' leads above the root")]
    [InlineData("""{"item":"extract","root":"/","programs":["../b"]}""", "member 'programs[0]': '../b' leads above the root")]
    [InlineData("""{"item":"extract","root":"/","programs":[]}""", "member 'programs' is empty")]
    [InlineData("""{"item":"extract","root":"/"}""", "member 'programs' is missing")]
    [InlineData("""{"item":"extract","programs":["/a"]}""", "exactly one of 'layer' and 'root' says where the programs come from")]
    [InlineData("""{"item":"run","command":[]}""", "member 'command' is empty")]
    [InlineData("""{"item":"run","command":"ls"}""", "member 'command': a list is expected, not a string")]
    [InlineData("""{"item":"run","command":["ls"],"inputs":{"../x":"y"}}""", "member 'inputs': '../x' is no name for a file below /run/inputs")]
    [InlineData("""{"item":"systemd_unit"}""", "member 'unit' is missing")]
    [InlineData("""{"item":"systemd_unit","unit":"a/b.service","enable":true}""", "'a/b.service' is no name of a unit, like \"web.service\"")]
    [InlineData("""{"item":"systemd_unit","unit":"a.service"}""", "nothing to do; give 'source', 'enable' or 'mask'")]
    [InlineData("""{"item":"systemd_unit","unit":"a.service","mask":true,"enable":true}""", "'mask' excludes 'enable' and 'source'")]
    public void Says_where_an_item_is_wrong(string item, string? error)
    {
        string json = $$"""{"name":"a","features":[{"item":"requires","paths":["/"]},{{item}}]}""";
        if (error is not null)
            Assert.Equal($"a.layer.json: features[1]: {error}", Error(json));
        else
            Assert.Equal("x", LayerSpec.Parse(Encoding.UTF8.GetBytes(json), "a.layer.json").Items[1].Inputs.Single().Name);
    }

    [Fact]
    public void Names_that_are_not_utf8_are_refused_by_name_of_the_place()
    {
        byte[] json = [.. "{\"name\":\"a\",\""u8, 0xFF, .. "\":1}"u8];
        Assert.Equal("a.layer.json: a member's name is not UTF-8", Assert.Throws<SpecificationException>(() => LayerSpec.Parse(json, "a.layer.json")).Message);
    }

    [Theory]
    [InlineData("a", true)]
    [InlineData("…and such", true)]
    [InlineData(".hidden", true)]
    [InlineData(".", false)]
    [InlineData("a\nb", false)]
    [InlineData("\udcff", false)]
    public void Layers_have_names_that_files_can_have(string name, bool isGood)
    {
        Assert.Equal(isGood, LayerName.IsGood(name));
        Assert.True(LayerName.IsGood(new string('n', 255)));
        Assert.False(LayerName.IsGood(new string('ä', 128)));
    }

    [Fact]
    public void A_path_may_be_4095_bytes_long_and_a_name_255()
    {
        string name = new('n', 255);
        Assert.EndsWith("is 256 bytes long; a name has at most 255", Error($$"""{"name":"a","features":[{"item":"text","dest":"/{{name}}n","text":""}]}"""), StringComparison.Ordinal);
        Assert.EndsWith("is longer than 4095 bytes", Error($$"""{"name":"a","features":[{"item":"text","dest":"/{{string.Concat(Enumerable.Repeat("a/", 2048))}}b","text":""}]}"""), StringComparison.Ordinal);
        LayerSpec.Parse(Encoding.UTF8.GetBytes($$"""{"name":"a","features":[{"item":"text","dest":"/{{string.Concat(Enumerable.Repeat("a/", 2047))}}b","text":""},{"item":"text","dest":"/{{name}}","text":""}]}"""), "a.layer.json");
    }

    [Fact]
    public void Comments_trailing_commas_and_bytes_are_taken()
    {
        Tree tree = Draft.Compile("""
            // a comment
            {"item":"text", /* another */ "dest_b64":"L2H/Yg==","text_b64":"AP8=","mode":"u+rw,g+r",},
            {"item":"text","dest":"//b/.././c/","text":"",},
            """);
        Assert.Equal(
            """
            ["(Dir)", {
              "a\\xffb": ["(File m640 d2)"],
              "c": ["(File m444)"]
            }]
            """, tree.Render());
    }

    [Fact]
    public void The_order_of_reading_and_equal_items_mean_nothing_to_the_layer()
    {
        const string a = """{"item":"ensure_dirs","path":"/a"}""", b = """{"item":"text","dest":"/a/b","text":"1"}""";
        Assert.Equal(Draft.Compile($"{a},{b}").Render(), Draft.Compile($"{b},{a},{b}").Render());
    }

    private static string Error(string json)
    {
        string message = Assert.Throws<SpecificationException>(() => LayerSpec.Parse(Encoding.UTF8.GetBytes(json), "a.layer.json")).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
