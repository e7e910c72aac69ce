using Layerbox.Cmd;
using Layerbox.Cmd.Containers;

namespace Layerbox.Tests.Cmd;

public class BindTextTests
{
    [Theory]
    [InlineData("/a:/b", "/a", "/b", false)]
    [InlineData("/a:/b:ro", "/a", "/b", true)]
    [InlineData("a\\:b:/c\\\\d", "a:b", "/c\\d", false)]
    [InlineData("ro:/ro", "ro", "/ro", false)]
    public void Reads_source_destination_and_whether_it_is_read_only(string text, string source, string destination, bool readOnly) =>
        Assert.Equal(new(source, destination, readOnly), BindText.Parse(text));

    [Theory]
    [InlineData("/a:/b:try", false, true, true)]
    [InlineData("/a:/b:norec", false, false, false)]
    [InlineData("/a:/b:norec:try:ro", true, true, false)]
    public void Reads_options_in_any_order(string text, bool readOnly, bool optional, bool recursive) =>
        Assert.Equal(new("/a", "/b", readOnly) { IsOptional = optional, IsRecursive = recursive }, BindText.Parse(text));

    [Fact]
    public void Reads_that_owners_are_kept() => Assert.Equal(new("/a", "/b", ReadOnly: true) { KeepsOwners = true }, BindText.Parse("/a:/b:ro:idmap"));

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("/a:")]
    [InlineData(":/b")]
    [InlineData("/a:/b:rw:")]
    [InlineData("/a:/b:x")]
    public void Names_what_it_cannot_read(string text) =>
        Assert.Equal($"option '--bind': expected SRC:DST, which :ro, :try, :norec and :idmap may follow, found '{text}'", Assert.Throws<UsageException>(() => BindText.Parse(text)).Message);
}
