using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

public sealed class SystemdUnitTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private static readonly Tree s_parent = Draft.Compile("""{"item":"ensure_dirs","path":"/usr/lib/systemd/system"}, {"item":"text","dest":"/usr/lib/systemd/system/getty@.service","text":""}, {"item":"text","dest":"/usr/lib/systemd/system/x.socket","text":""}""");

    public SystemdUnitTests() => File.WriteAllText(_folder / "web.service", "[Unit]\n");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Installs_enables_and_masks() => Assert.Equal(
        """
        ["(Dir)", {
          "etc": ["(Dir)", {
            "systemd": ["(Dir)", {
              "system": ["(Dir)", {
                "multi-user.target.wants": ["(Dir)", {
                  "getty@tty1.service": ["(Symlink /usr/lib/systemd/system/getty@.service)"],
                  "web.service": ["(Symlink /usr/lib/systemd/system/web.service)"]
                }],
                "sockets.target.wants": ["(Dir)", {
                  "x.socket": ["(Symlink /usr/lib/systemd/system/x.socket)"]
                }],
                "x.service": ["(Symlink /dev/null)"]
              }]
            }]
          }],
          "usr": ["(Dir)", {
            "lib": ["(Dir)", {
              "systemd": ["(Dir)", {
                "system": ["(Dir)", {
                  "getty@.service": ["(File m444)"],
                  "web.service": ["(File d7)"],
                  "x.socket": ["(File m444)"]
                }]
              }]
            }]
          }]
        }]
        """, Draft.Compile("""
            {"item":"systemd_unit","source":"web.service","enable":true}, {"item":"systemd_unit","unit":"getty@tty1.service","enable":true},
            {"item":"systemd_unit","unit":"x.socket","target":"sockets.target","enable":true}, {"item":"systemd_unit","unit":"x.service","mask":true}
            """, s_parent, _folder.Path).Render());

    [Fact]
    public void Systemctl_agrees()
    {
        Assert.SkipUnless(Programs.Try("sh", "-c", "command -v systemctl").Status == 0, "needs systemctl");
        Programs.Shell($"mkdir -p '{_folder.Path}/r/etc' '{_folder.Path}/r/usr/lib/systemd/system'; printf '[Install]\\nWantedBy=multi-user.target\\n' > '{_folder.Path}/r/usr/lib/systemd/system/web.service'");
        Programs.Run("systemctl", "--root", _folder / "r", "enable", "-q", "web.service");
        Tree tree = Draft.Compile("""{"item":"systemd_unit","source":"web.service","enable":true}""", s_parent, _folder.Path);
        const string link = "etc/systemd/system/multi-user.target.wants/web.service";
        Assert.Equal(new FileInfo(_folder / $"r/{link}").LinkTarget, System.Text.Encoding.UTF8.GetString(tree.At(link).Target));
    }

    [Theory]
    [InlineData("""{"item":"systemd_unit","unit":"no.service","enable":true}""", "systemd_unit no.service: /usr/lib/systemd/system/no.service as a file is required, but the finished layer does not have it")]
    [InlineData("""{"item":"systemd_unit","source":"web.service"}, {"item":"remove","path":"/usr/lib/systemd"}""", "systemd_unit web.service: /usr/lib/systemd/system as a directory is required, but nothing provides it")]
    [InlineData("""{"item":"systemd_unit","source":".","unit":"a.service"}""", "systemd_unit a.service: source '.' is a folder; a unit is a regular file")]
    [InlineData("""{"item":"systemd_unit","source":"web.service","unit":"x.socket"}""", "systemd_unit x.socket: /usr/lib/systemd/system/x.socket exists already in the parent layer (file)")]
    public void Refuses(string features, string error) =>
        Assert.Equal($"{_folder.Path}/t.layer.json: features[0]: {error}", Assert.ThrowsAny<LayerException>(() => Draft.Compile(features, s_parent, _folder.Path)).Message);
}
