using System.Text;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Tests.Nspawn;

/// <summary>A small system of this machine's own programs in a folder, to run containers in. Gone when disposed.</summary>
internal sealed class ContainerRoot : IDisposable
{
    private const string Make = """
        cd "$1"
        chmod 0755 .
        mkdir -p usr/bin usr/lib etc
        for program in sh cat chmod dd env grep head hostname id ls mkdir mknod mount readlink rm sha256sum sleep stat stty touch tty; do
            file=$(readlink -f "$(type -P "$program")")
            cp "$file" "usr/bin/$program"
            for library in $(ldd "$file" | grep -o '/[^ ]*'); do
                target=$(readlink -f "$(dirname "$library")")
                mkdir -p ".$target"
                cp -n -L "$library" ".$target/"
            done
        done
        echo 'root:x:0:0::/root:/bin/sh' > etc/passwd
        echo 'web:x:33:34::/srv/web:/bin/sh' >> etc/passwd
        printf 'root:x:0:\nweb:x:34:\nlog:x:4:syslog,web\n' > etc/group
        """;

    private readonly TempFolder _folder = new();

    // Collecting libraries takes longer than the tests themselves, so it is done once a run.
    private static readonly Lazy<byte[]> Archive = new(() =>
    {
        using TempFolder folder = new();
        Programs.Run("bash", "-euo", "pipefail", "-c", Make, "make", folder.Path);
        return ChildProcess.Run(new ProgramStart("tar", "-C", folder.Path, "-c", ".")).ThrowIfFailed().Output;
    });

    private ContainerRoot(ContainerEngine engine)
    {
        Engine = engine;
        System.IO.Directory.CreateDirectory(Path);
        ChildProcess.Run(new ProgramStart("tar", "-C", Path, "-x"), Archive.Value).ThrowIfFailed();
    }

    /// <summary>Makes one, or skips the test where containers cannot be run at all.</summary>
    public static ContainerRoot OrSkip(ContainerEngine engine)
    {
        Privileged.OrSkip();
        Published.OrSkip();
        return new ContainerRoot(engine);
    }

    public static ContainerRoot OrSkip() => OrSkip(new BuiltinEngine());

    public ContainerEngine Engine { get; }

    public string Path => _folder / "root";

    public static string operator /(ContainerRoot root, string name) => System.IO.Path.Combine(root.Path, name);

    /// <summary>A path beside the root, outside of every container.</summary>
    public string Outside(string name) => _folder / name;

    public ContainerSpec Shell(string script) => new(Path, ["sh", "-c", script]);

    /// <summary>Runs with the output caught in files.</summary>
    public (ContainerResult Result, string Out, string Err) Run(ContainerSpec spec)
    {
        string output = Outside($"out-{Guid.NewGuid():N}"), errors = Outside($"err-{Guid.NewGuid():N}");
        const OpenFlags Fresh = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive;
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadOnly);
        using SafeFileHandle to = Files.Open(output, Fresh, 0x180), complain = Files.Open(errors, Fresh, 0x180);
        ContainerResult result = Engine.Run(spec with { Input = spec.Input ?? nothing, Output = spec.Output ?? to, Error = spec.Error ?? complain });
        return (result, Text(output), Text(errors));
    }

    public (ContainerResult Result, string Out, string Err) Run(string script) => Run(Shell(script));

    /// <summary>Everything in the tree with what could change: kind, mode, size, link target and time.</summary>
    public string Listing() => Programs.Run("find", Path, "-printf", "%P %y %m %s %l %T@\n");

    public void Dispose() => _folder.Dispose();

    private static string Text(string path) => Encoding.UTF8.GetString(System.IO.File.ReadAllBytes(path));
}
