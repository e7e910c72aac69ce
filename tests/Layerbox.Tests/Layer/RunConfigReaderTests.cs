using System.Text;
using System.Text.Json;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

/// <summary>What is read token by token is what the serializer reads.</summary>
public class RunConfigReaderTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData("""{"entrypoint":["/bin/a","\u00e9\n"],"cmd":[],"env":{"A":"1","B":"x=y"},"user":"web:log","working_dir":"/","stop_signal":"TERM","exposed_ports":["80/tcp"],"volumes":["/v"],"labels":{"a.b":""}}""")]
    [InlineData("""{"user":null}""")]
    [InlineData(""" { "user" : "a", "user" : "b" } """)]
    [InlineData("""{"\u0075ser":"a"}""")]
    [InlineData("""{"env":{"B":"1","A":"2","B":"3"}}""")]
    public void Plain_ones_are_read(string document)
    {
        RunConfig expected = JsonSerializer.Deserialize(document, MetadataJson.Default.RunConfig)!;
        RunConfig? read = RunConfigReader.TryParse(Encoding.UTF8.GetBytes(document));
        Assert.NotNull(read);
        Assert.Equal(JsonSerializer.Serialize(expected, MetadataJson.Default.RunConfig), JsonSerializer.Serialize(read, MetadataJson.Default.RunConfig));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{} {}")]
    [InlineData("""{"user":"a",}""")]
    [InlineData("""{"user":3}""")]
    [InlineData("""{"user":["a"]}""")]
    [InlineData("""{"more":"a"}""")]
    [InlineData("""{"User":"a"}""")]
    [InlineData("""{"cmd":"a"}""")]
    [InlineData("""{"cmd":[null]}""")]
    [InlineData("""{"cmd":[["a"]]}""")]
    [InlineData("""{"env":{"A":null}}""")]
    [InlineData("""{"env":{"A":{}}}""")]
    [InlineData("""{"env":[]}""")]
    [InlineData("""{"user":"\ud800"}""")]
    [InlineData("""{"user":"a" /* why */}""")]
    [InlineData("""{"user":"a""")]
    public void The_serializer_is_left_to_judge_all_others(string document) => Assert.Null(RunConfigReader.TryParse(Encoding.UTF8.GetBytes(document)));
}
