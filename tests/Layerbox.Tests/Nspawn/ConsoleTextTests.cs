using Layerbox.Nspawn.Boot;

namespace Layerbox.Tests.Nspawn;

public class ConsoleTextTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("one\r\n\r\ntwo", "one|two")]
    [InlineData("[\x1B[0;32m  OK  \x1B[0m] Up\n\x1B]0;title\atext\n\x1B]0;title\x1B\\more\n", "[  OK  ] Up|text|more")]
    // How systemd shows that it waits, and then something else.
    [InlineData("Up\r\n[*  ] Job (1s)\r\r\n\x1BM\r\r\x1B[K[** ] Job (2s)\r\r\n\x1BM\r\r\x1B[KDone\n", "Up|Done")]
    [InlineData("\x1BM\r\x1B[Kfirst\n\x1BM", "")]
    [InlineData("cut \x1B[3", "cut")]
    public void Leaves_what_would_be_read(string text, string lines) => Assert.Equal(lines, string.Join('|', ConsoleText.Lines(text)));
}
