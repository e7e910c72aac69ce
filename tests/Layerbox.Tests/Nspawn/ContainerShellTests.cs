using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>The shell that container-run gives, and the prompt.</summary>
public class ContainerShellTests
{
    private static ContainerRoot Root(string passwd = "")
    {
        ContainerRoot root = ContainerRoot.OrSkip();
        System.IO.File.WriteAllText(root / "etc/passwd", passwd);
        return root;
    }

    // A shell that only says which one it is.
    private static void AddShell(ContainerRoot root, string path, string mode = "0755")
    {
        System.IO.Directory.CreateDirectory(Path.GetDirectoryName(root / path)!);
        System.IO.File.WriteAllText(root / path, $"#!/usr/bin/sh\necho /{path} $SHELL $USER $LOGNAME $HOME\n");
        Programs.Run("chmod", mode, root / path);
    }

    [Theory]
    [InlineData("root:x:0:0::/root:/opt/own\n", "/opt/own /opt/own root root /root")]
    [InlineData("web:x:33:34::/srv/web:/opt/own\n", "/opt/own /opt/own web web /srv/web", "--user", "web")]
    [InlineData("", "/usr/bin/bash /usr/bin/bash root root /root")]
    [InlineData("", "/usr/bin/bash /usr/bin/bash 1234 1234 /", "--user", "1234")]
    [InlineData("root:x:0:0::/root:\n", "/usr/bin/bash /usr/bin/bash root root /root")]
    [InlineData("root:x:0:0::/root:/opt/absent\n", "/usr/bin/bash /usr/bin/bash root root /root")]
    [InlineData("root:x:0:0::/root:/opt/data\n", "/usr/bin/bash /usr/bin/bash root root /root")]
    [InlineData("root:x:0:0::/root:/opt\n", "/usr/bin/bash /usr/bin/bash root root /root")]
    [InlineData("root:x:0:0::/root:/opt/loop\n", "/usr/bin/bash /usr/bin/bash root root /root")]
    [InlineData("web:x:33:34::/srv/web:/usr/sbin/nologin\n", "/usr/bin/bash /usr/bin/bash web web /srv/web", "--user", "web")]
    public void Is_the_users_own_or_bash(string passwd, string says, params string[] options)
    {
        using ContainerRoot root = Root(passwd);
        foreach (string path in (string[])["opt/own", "usr/bin/bash", "usr/sbin/nologin"])
            AddShell(root, path);
        AddShell(root, "opt/data", "0644");
        System.IO.File.CreateSymbolicLink(root / "opt/loop", "loop");
        ProcessResult result = ChildProcess.Run(new ProgramStart(Published.OrSkip(), ["container-run", root.Path, "--shell", .. options]));
        Assert.Equal((0, $"{says}\n"), (result.Exit.Status, result.OutputText));
    }

    [Fact]
    public void Is_sh_where_there_is_nothing_else()
    {
        using ContainerRoot root = Root();
        ProcessResult result = ChildProcess.Run(new ProgramStart(Published.OrSkip(), "container-run", root.Path, "--shell"), "echo $0 $SHELL; exit 4\n"u8.ToArray());
        Assert.Equal((4, "/usr/bin/sh /usr/bin/sh\n"), (result.Exit.Status, result.OutputText));
    }

    [Theory]
    [InlineData("root", "[root] root:/# ")]
    [InlineData("web.layer", "[web] root:/# ")]
    [InlineData("a`id`$x b", "[a?id??x?b] root:/# ")]
    public void Without_a_command_it_is_there_on_a_terminal_and_says_where(string name, string prompt)
    {
        using ContainerRoot root = Root();
        string folder = root.Outside(name);
        if (folder != root.Path)
            System.IO.Directory.Move(root.Path, folder);
        using TerminalSession session = TerminalSession.OfTool(folder);
        Assert.Equal("", session.Await(prompt));
        session.Type("echo $debian_chroot; exit 3\r");
        session.Await($"exit 3\r\n{prompt[1..prompt.IndexOf(']', StringComparison.Ordinal)]}\r\n");
        Assert.Equal(3, session.End());
    }

    [Theory]
    [InlineData("--shell and a command: one of the two", "--shell", "--", "id")]
    [InlineData("--tty and --no-tty: one of the two", "--tty", "--no-tty", "--", "id")]
    [InlineData("no command given, and the layer's config has none: name one, or say --shell", "--no-tty")]
    public void Says_what_cannot_be_meant(string error, params string[] arguments)
    {
        using ContainerRoot root = Root();
        ProcessResult result = ChildProcess.Run(new ProgramStart(Published.OrSkip(), ["container-run", root.Path, .. arguments]));
        Assert.Equal((125, $"container-run: {error}\nTry 'container-run --help' for more information.\n"), (result.Exit.Status, result.ErrorText));
    }
}
