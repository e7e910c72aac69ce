namespace Layerbox.Tests.EndToEnd;

/// <summary>The tools that take streams apart, in pipes.</summary>
public class StreamPipeTests
{
    private const string Setup = """
        set -euo pipefail
        mkdir src; cd src; mkdir -p usr/bin etc; echo hello > etc/motd; printf '#!' > usr/bin/tool; chmod 4755 usr/bin/tool; ln -s ../usr/bin/tool etc/t; ln etc/motd etc/issue
        truncate -s 1000000 sparse; printf end >> sparse; setfattr -n user.k -v v etc/motd; touch -d @1234567890.123456789 etc/motd; touch -d @-5.5 usr; cd ..
        "$L" sendstream-make --canonical src > s; zstd -q s

        """;

    [Theory]
    [InlineData("an archive, out of a pipe of compressed bytes", "mkdir out; cat s.zst | \"$L\" sendstream-tar | tar --warning=no-timestamp --xattrs --xattrs-include='*' -xpC out; \"$L\" sendstream-diff s out", 0, "")]
    [InlineData("a directory, out of a pipe", "cat s | \"$L\" sendstream-apply out -; \"$L\" sendstream-diff s.zst out; stat -c %b out/sparse | grep -qx -e 8 -e 16 -e 0", 0, "")]
    [InlineData("the same directory, of a compressed file", "\"$L\" sendstream-apply out s.zst; \"$L\" sendstream-diff src out; ls -A", 0, "out\ns\ns.zst\nsrc\n")]
    [InlineData("its names", "\"$L\" sendstream-tar s | tar -tf - | tail -n 2", 0, "usr/bin/\nusr/bin/tool\n")]
    [InlineData("what differs", "\"$L\" sendstream-apply out s; echo more >> out/etc/motd; touch -d @1234567890.123456789 out/etc/motd; \"$L\" sendstream-diff - out < s.zst", 1, "M /etc/issue content\nM /etc/motd content\n")]
    [InlineData("a reader that goes away", "set +e; (\"$L\" sendstream-tar s; echo $? >&2) 2> status | true; cat status", 0, "141\n")]
    [InlineData("a cut stream leaves nothing", "head -c 500 s | \"$L\" sendstream-apply out 2> error || cut -d : -f 1-2 error; ls -A", 0, "sendstream-apply: standard input\nerror\ns\ns.zst\nsrc\n")]
    public void Streams_go_in_and_come_out(string what, string script, int status, string output)
    {
        Assert.NotEmpty(what);
        using TempFolder folder = new();
        Assert.Equal((status, output, ""), Executable.Shell(Setup + script, folder.Path));
    }

    [Fact]
    public void Who_is_not_root_is_told_what_needs_root()
    {
        Executable.PublishedOrSkip();
        Privileged.OrSkip();
        using TempFolder folder = new();
        (int status, string output, string errors) = Executable.Shell(
            """
            set -uo pipefail
            cp "$L" layerbox; chmod 755 . layerbox; L=$PWD/layerbox; mkdir -m 777 work; mkdir -p src/d; echo x > src/d/x; chmod 500 src/d; chown -R 5:6 src; mknod null c 1 3
            "$L" sendstream-make --canonical src > s; mv null src; "$L" sendstream-make --canonical src > devices; chmod 644 s devices
            nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
            nobody "$L" sendstream-apply work/out s; nobody "$L" sendstream-apply --no-owner work/out devices; ls -A work
            nobody "$L" sendstream-apply --no-owner work/out s && stat -c '%u %g %a' work/out/d; cat work/out/d/x
            """, folder.Path);
        Assert.Equal(
            "sendstream-apply: work/.out.layerbox-tmp/d/x: chown: Operation not permitted; giving files to others needs root: CAP_CHOWN\n"
            + "sendstream-apply: work/.out.layerbox-tmp/null: mknod: Operation not permitted; making devices needs root: CAP_MKNOD\n", errors);
        Assert.Equal((0, "65534 65534 500\nx\n"), (status, output));
    }
}
