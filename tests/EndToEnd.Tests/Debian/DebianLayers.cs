using System.Globalization;

namespace Layerbox.Tests.EndToEnd;

/// <summary>
/// A real system of more than 10,000 entries as the layer base.layer and, with changes, as child.layer; and both once more as plain folders that tar
/// unpacked and a person changed. Made once for all tests, by the first that asks.
/// </summary>
public sealed class DebianLayers : IDisposable
{
    /// <summary>MiB that no tool may exceed on such a tree. The goal is 64, measured by scripts/bench; here a margin keeps the test calm.</summary>
    private const int PeakLimit = 96;

    private readonly Lazy<Workbench> _bench;

    public DebianLayers() => _bench = new Lazy<Workbench>(Make);

    internal Workbench BenchOrSkip() => _bench.Value;

    /// <summary>The folder of the plain tree that equals base.layer.</summary>
    internal string PlainBase => Path.Combine(_bench.Value.Volume, "plain", "base");

    /// <summary>The folder of the plain tree that equals child.layer.</summary>
    internal string PlainChild => Path.Combine(_bench.Value.Volume, "plain", "child");

    internal string LayerPath(string handle) => Path.Combine(_bench.Value.Volume, _bench.Value.SubvolumeOf(handle));

    /// <summary>Runs a tool that must succeed and stay within the memory limit; says what it took.</summary>
    internal static void Measure(Workbench bench, params string[] args)
    {
        bench.Script("/usr/bin/time --format '%M %e' --output usage \"$L\" \"$@\"", args);
        string[] usage = File.ReadAllText(bench / "usage").Split();
        double peak = double.Parse(usage[0], CultureInfo.InvariantCulture) / 1024;
        TestContext.Current.TestOutputHelper?.WriteLine($"{string.Join(' ', args)}: peak {peak:0.0} MiB, {usage[1]} s");
        Assert.InRange(peak, 0, PeakLimit);
    }

    public void Dispose()
    {
        if (_bench.IsValueCreated)
            _bench.Value.Dispose();
    }

    private static Workbench Make()
    {
        Executable.PublishedOrSkip();
        Privileged.OrSkip();
        string archive = RootfsOrSkip();
        Workbench bench = Workbench.OrSkip();
        try
        {
            MakePlainBase(bench, archive);
            string digest = bench.Script("sha256sum < \"$1\" | cut -d ' ' -f 1", archive).TrimEnd();
            Measure(bench, "layer-import", archive, "--sha256", digest, "--name", "base", "--output", "base.layer", "--progress", "none");
            MakePlainChild(bench);
            bench.Write("child.layer.json", ChildLayer);
            Measure(bench, "layer-compile", "child.layer.json", "--output", "child.layer", "--progress", "none");
            return bench;
        }
        catch
        {
            bench.Dispose();
            throw;
        }
    }

    private static string RootfsOrSkip()
    {
        string archive = Repository.PathOf("artifacts", "debian-rootfs.tar");
        (int status, _, string errors) = Programs.Try(Repository.PathOf("scripts", "make-rootfs"), archive);
        bool mayBeMissing = Environment.GetEnvironmentVariable("CI") != "true";
        Assert.SkipWhen(status == 77 && mayBeMissing, errors.TrimEnd().Split('\n')[^1]);
        Assert.True(status == 0, $"make-rootfs: exit status {status}: {errors}");
        return archive;
    }

    private static void MakePlainBase(Workbench bench, string archive) => bench.Script("""
        mkdir -p "$V/plain/base"
        tar --extract --file "$1" --directory "$V/plain/base" --xattrs --xattrs-include '*' --numeric-owner --same-permissions
        """, archive);

    private const string ChildLayer = """
        { "name": "child", "parent": "base.layer", "source_date_epoch": 1600000000, "features": [
          { "item": "remove", "path": "/usr/share/doc" },
          { "item": "remove", "path": "/opt/corner/hardlink-too" },
          { "item": "run", "command": ["/bin/sh", "-c", "dpkg-query -l > /var/lib/list"] },
          { "item": "group_add", "name": "web", "gid": 1500 },
          { "item": "user_add", "name": "web", "uid": 1500, "groups": ["audio"], "comment": "The web", "home": "/var/lib/web", "shell": "/bin/sh" },
          { "item": "ensure_dirs", "into": "/var/lib", "path": "web/cache", "mode": "0750", "user": "web", "group": "web" },
          { "item": "install", "source": "web", "dest": "/usr/local/bin/web", "mode": "0755", "setcap": "cap_net_bind_service=ep" },
          { "item": "install", "source": "pages", "dest": "/srv/pages", "data_mode": "0644", "group": "web" },
          { "item": "text", "dest": "/etc/web.conf", "text": "port = 80\n", "mode": "0640", "group": "web", "xattrs": { "user.origin": "child" } },
          { "item": "symlink", "target": "/usr/local/bin/web", "link": "/usr/bin/server" },
          { "item": "hardlink", "target": "/opt/corner/hardlink", "link": "/opt/corner/hardlink-three" },
          { "item": "mknod", "path": "/opt/corner/disk", "type": "block", "major": 7, "minor": 300, "mode": "0660" }
        ] }
        """;

    // What the layer's specification says, said to the machine's own programs.
    private static void MakePlainChild(Workbench bench) => bench.Script("""
        printf '#!/bin/sh\necho web\n' > web; chmod 0755 web
        mkdir -p pages/deep; echo index > pages/index; echo deep > pages/deep/one; chmod 0600 pages/deep/one
        cp --archive --reflink=always "$V/plain/base" "$V/plain/child"
        sleep 0.02; touch "$V/plain/stamp"; sleep 0.02
        cd "$V/plain/child"
        rm --recursive usr/share/doc opt/corner/hardlink-too
        env --ignore-environment PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 chroot . sh -c 'dpkg-query -l > /var/lib/list'
        groupadd --root "$PWD" --gid 1500 web
        useradd --root "$PWD" --key SUB_UID_COUNT=0 --key SUB_GID_COUNT=0 --uid 1500 --gid web --groups audio --comment 'The web' --home-dir /var/lib/web --no-create-home --shell /bin/sh web
        rm --force etc/{passwd,shadow,group,gshadow}- etc/.pwd.lock
        (cd ../base; cp --archive --parents --reflink=always $(compgen -G 'etc/*[dpw]-'; compgen -G etc/.pwd.lock) ../child)
        sed --in-place 's/^web:!:[0-9]*:/web:!:0:/' etc/shadow
        install --directory --mode 0750 --owner 1500 --group 1500 var/lib/web var/lib/web/cache
        install --mode 0755 "$OLDPWD/web" usr/local/bin/web; setcap cap_net_bind_service=ep usr/local/bin/web
        install --directory --group 1500 srv/pages srv/pages/deep
        install --mode 0644 --group 1500 "$OLDPWD/pages/index" srv/pages; install --mode 0644 --group 1500 "$OLDPWD/pages/deep/one" srv/pages/deep
        echo 'port = 80' > etc/web.conf; chgrp 1500 etc/web.conf; chmod 0640 etc/web.conf; setfattr --name user.origin --value child etc/web.conf
        ln --symbolic ../local/bin/web usr/bin/server
        ln opt/corner/hardlink opt/corner/hardlink-three
        mknod --mode 0660 opt/corner/disk b 7 300
        find . -newer ../stamp -print0 | xargs --null touch --no-dereference --date @1600000000
        """);
}
