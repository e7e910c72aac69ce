using System.Globalization;
using Layerbox.Cmd;
using Layerbox.Posix;

namespace Layerbox.Tests.Cmd;

public class InterruptionTests
{
    [Fact]
    public void A_signal_cancels_the_token_and_is_remembered()
    {
        using Interruption interruption = Interruption.BySignals();
        CancellationToken token = interruption.Token;
        Programs.Run("kill", "-HUP", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        Assert.True(token.WaitHandle.WaitOne(Patience.Limit));
        Assert.Equal(Signal.SIGHUP, interruption.Signal);
        FdStream.StandardInput.Cancellation = default;
    }

    [Fact]
    public void A_read_that_waits_for_another_program_gives_up()
    {
        (Microsoft.Win32.SafeHandles.SafeFileHandle read, Microsoft.Win32.SafeHandles.SafeFileHandle write) = Pipes.Make();
        using CancellationTokenSource source = new(TimeSpan.FromMilliseconds(50));
        using FdStream stream = new(read, "pipe") { Cancellation = source.Token };
        Assert.Throws<OperationCanceledException>(() => stream.ReadByte());
        write.Dispose();
    }
}
