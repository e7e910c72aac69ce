using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Posix;

/// <summary>Messages between processes, and the descriptors that come with them.</summary>
public class MessageSocketTests
{
    [Fact]
    public void Of_several_descriptors_that_come_with_a_message_none_is_left_open()
    {
        using TempFolder folder = new();
        string path = folder / "sent";
        (SafeFileHandle here, SafeFileHandle there) = MessageSockets.Make();
        using (here)
        using (there)
        {
            ProcessResult sent = ChildProcess.Run(new ProgramStart("python3", "-c", $"""
                import socket, struct
                file = open("{path}", "w")
                socket.socket(fileno=3).sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("ii", file.fileno(), file.fileno()))])
                """)
            { Inherited = [there] });
            Assert.True(sent.Exit.Succeeded, sent.ErrorText);
            Assert.Equal(1, MessageSockets.Receive(here, new byte[1], out SafeFileHandle? descriptor));
            Assert.NotNull(descriptor);
            Assert.Equal(1, Opened());
            descriptor.Dispose();
            Assert.Equal(0, Opened());
        }

        int Opened() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(link => new FileInfo(link).LinkTarget == path);
    }
}
