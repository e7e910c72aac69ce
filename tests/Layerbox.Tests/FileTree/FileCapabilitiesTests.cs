using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

/// <summary>Capabilities in text become the attribute that setcap would write.</summary>
public class FileCapabilitiesTests
{
    [Theory]
    [InlineData("cap_net_raw=ep")]
    [InlineData("cap_net_bind_service,cap_net_raw=ep")]
    [InlineData("cap_net_raw+ep")]
    [InlineData("cap_net_raw=p")]
    [InlineData("cap_net_raw=i cap_chown+p")]
    [InlineData("cap_chown=ep cap_net_raw=ep")]
    [InlineData("cap_chown,cap_net_raw=ep cap_chown-ep")]
    [InlineData("cap_chown=p+e")]
    [InlineData("cap_chown=ep cap_chown=")]
    [InlineData("=ep")]
    [InlineData("all=ep")]
    [InlineData("all=ep cap_sys_admin-ep")]
    public void As_setcap_does(string text)
    {
        Privileged.OrSkip();
        using TempFolder folder = new();
        File.WriteAllText(folder / "x", "");
        Programs.Run("setcap", text, folder / "x");
        string hex = Programs.Shell($"getfattr --absolute-names -e hex -n security.capability {folder / "x"} | sed -n 's/^security.capability=0x//p'").Trim();
        Assert.NotEmpty(hex);
        Assert.Equal(hex, Convert.ToHexStringLower(FileCapabilities.Parse(text)!));
    }

    [Theory]
    [InlineData("")]
    [InlineData("cap_net_raw")]
    [InlineData("cap_net_raw=x")]
    [InlineData("cap_net_raw+")]
    [InlineData("+ep")]
    [InlineData("net_raw=ep")]
    [InlineData("cap_none=ep")]
    [InlineData("cap_chown=p cap_net_raw=ep")] // a file has one effective bit for all
    public void What_is_none_is_refused(string text) => Assert.Null(FileCapabilities.Parse(text));
}
