using Layerbox.Posix;

namespace Layerbox.Tests.Nspawn;

/// <summary>Containers by a user without any privilege.</summary>
public class ContainerRootlessTests
{
    private const string User = "61234";

    private const string SubIds = "echo 'layerboxtest:700000:65536' | tee /etc/subuid > /etc/subgid";

    // As that user, in mounts where /etc can be changed: $1 is a folder for it, $2 prepares it, the rest is executed. His folder is the root's.
    private const string AsUser = """
        folder=$1 prepare=$2; shift 2
        mkdir -p "$folder/etc"
        cp -a /etc/. "$folder/etc"
        mount --bind "$folder/etc" /etc
        echo 'layerboxtest:x:61234:61234::/:/bin/sh' >> /etc/passwd
        echo 'layerboxtest:x:61234:' >> /etc/group
        : > /etc/subuid
        : > /etc/subgid
        eval "$prepare"
        exec setpriv --reuid 61234 --regid 61234 --clear-groups "$@"
        """;

    // A user namespace that holds all users, of which $2 is done in as root, as a limit of namespaces holds for one.
    private const string InNamespace = """
        unshare --user sleep 1000 & holder=$!
        trap 'kill $holder' EXIT
        until theirs=$(readlink "/proc/$holder/ns/user") && [[ $theirs != "$(readlink /proc/self/ns/user)" ]]; do sleep 0.01; done
        echo '0 0 65536' > "/proc/$holder/uid_map"
        echo '0 0 65536' > "/proc/$holder/gid_map"
        nsenter --target "$holder" --user --setuid 0 --setgid 0 bash -euo pipefail -c "$@"
        """;

    private static ContainerRoot Root(bool isOwned = true)
    {
        ContainerRoot root = ContainerRoot.OrSkip();
        // The way to the root may be closed to others.
        Programs.Run("chmod", "0755", root.Outside(""));
        Programs.Run("cp", Published.OrSkip(), root.Outside("layerbox"));
        if (isOwned)
            Programs.Run("chown", "-R", $"{User}:{User}", root.Path);
        return root;
    }

    private static ProcessResult Run(ContainerRoot root, string prepare, params string[] arguments) => ChildProcess.Run(new ProgramStart(
        "unshare", ["--mount", "bash", "-euo", "pipefail", "-c", AsUser, "as", root.Outside(""), prepare, root.Outside("layerbox"), "container-run", .. arguments]), Array.Empty<byte>());

    [Theory]
    [InlineData("")]
    [InlineData("--in-place")]
    public void Root_inside_is_who_started_it(string option)
    {
        using ContainerRoot root = Root();
        string[] options = option.Length > 0 ? [option] : [];
        string output = Published.Succeed(Run(root, ":", [root.Path, .. options, "--", "sh", "-c", "id -u; id -g; touch /made; stat -c %u:%g /made /tmp / /dev/pts; cat /proc/self/uid_map; echo x > /dev/null && head -c 1 /dev/zero | sha256sum | head -c 4"]));
        Assert.Equal(["0", "0", "0:0", "0:0", "0:0", "0:0", "0 61234 1", "6e34"], output.Split('\n').Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
        if (option.Length > 0)
            Assert.Equal((61234u, 61234u), (Files.Status(root / "made").Uid, Files.Status(root / "made").Gid));
        else
            Assert.False(System.IO.File.Exists(root / "made"));
    }

    [Fact]
    public void With_sub_ids_there_are_other_users()
    {
        using ContainerRoot root = Root();
        Assert.Equal("uid=33(web) gid=34(web) groups=34(web),4(log)\n", Published.Succeed(Run(root, SubIds, root.Path, "--user", "web", "--", "id")));
        Published.Succeed(Run(root, SubIds, root.Path, "--in-place", "--", "sh", "-c", "touch /made && chmod 640 /made && env -i PATH=/usr/bin sh -c 'touch /of-root'"));
        Published.Succeed(Run(root, SubIds, root.Path, "--in-place", "--tmpfs", "/srv", "--user", "33:34", "--", "sh", "-c", "touch /tmp/mine && test $(stat -c %u:%g /tmp/mine) = 33:34"));
        Assert.Equal(61234u, Files.Status(root / "made").Uid);
        // A folder that belongs to one of them outside is one's inside.
        System.IO.Directory.CreateDirectory(root / "web");
        Programs.Run("chown", "700032:700033", root / "web");
        Published.Succeed(Run(root, SubIds, root.Path, "--in-place", "--user", "web", "--", "touch", "/web/file"));
        FileStatus file = Files.Status(root / "web/file");
        Assert.Equal((700032u, 700033u), (file.Uid, file.Gid));
        // What is forgotten is its as well.
        Assert.Equal("33:34 file other\n", Published.Succeed(Run(root, SubIds, root.Path, "--in-place", "--overlay", "/web", "--user", "web", "--", "sh", "-c", "touch /web/other; echo $(stat -c %u:%g /web) $(ls /web)")));
        Assert.False(System.IO.File.Exists(root / "web/other"));
    }

    [Theory]
    [InlineData(":")]
    [InlineData(SubIds)]
    public void Is_killed_as_gladly_as_it_is_told(string prepare)
    {
        using ContainerRoot root = Root();
        Assert.Equal("777\n", Published.Succeed(Run(root, prepare, root.Path, "--oom-score-adj", "777", "--", "cat", "/proc/self/oom_score_adj")));
        ProcessResult refused = Run(root, prepare, root.Path, "--oom-score-adj=-500", "--", "id");
        Assert.Equal(("container-run: oom_score_adj: write: Permission denied\n", 125), (refused.ErrorText, refused.Exit.Status));
    }

    [Fact]
    public void Is_as_isolated_as_any()
    {
        using ContainerRoot root = Root();
        string output = Published.Succeed(Run(root, ":", root.Path, "--", "sh", "-c",
            "ls -d /proc/[0-9]* | grep -c . ; ls /sys/class/net; cat /sys/fs/cgroup/* 2>/dev/null; head -c 1 /proc/timer_list; cat /proc/1/environ 2>/dev/null; mount -t tmpfs x /tmp 2>/dev/null || echo no mount; touch /sys/x /proc/sys/x 2>/dev/null || echo read-only; grep CapEff /proc/self/status"));
        Assert.Matches("^[3-9]\nlo\nno mount\nread-only\nCapEff:\t00000000a00425fb\n$", output);
        // Links of devices are shown as on the host, control groups are not.
        Assert.Equal("", Published.Succeed(Run(root, ":", root.Path, "--network", "host", "--", "ls", "/sys/fs/cgroup")));
    }

    [Theory]
    [InlineData(":", "")]
    [InlineData(SubIds, "web")]
    public void Is_listed_and_entered_by_its_own_user(string prepare, string user)
    {
        const string Rights = "grep -E '^(CapBnd|NoNewPrivs|Seccomp|Uid|Gid|Groups):' /proc/self/status; hostname; pwd; cat /tmp/of-the-command; readlink /proc/self/ns/user; readlink /proc/self/ns/pid; readlink /proc/self/ns/mnt";
        using ContainerRoot root = Root();
        // Its own output tells when the command runs; then it is entered, and at last told to end.
        string options = user.Length > 0 ? $"--user {user}" : "";
        string script = $$"""
            cd /; mkfifo $folder/started; chmod 666 $folder/started
            cat > $folder/inside <<'EOF'
            {{Rights}}
            EOF
            chmod 755 $folder/inside
            cat > $folder/script <<EOF
            set -e
            $folder/layerbox container-run {{root.Path}} {{options}} --name mine --hostname here --workdir /usr --bind $folder/inside:/inside:ro --drop-capability CAP_CHOWN -- sh -c 'echo own > /tmp/of-the-command; sh /inside; echo end; exec sleep 1000' > $folder/started & run=\$!
            trap 'kill -KILL \$run' EXIT
            while IFS= read -r line; do echo "\$line"; [ "\$line" != end ] || break; done < $folder/started
            echo =
            $folder/layerbox container-list | grep -c '"name":"mine"'
            $folder/layerbox container-enter mine -- sh /inside
            $folder/layerbox container-enter mine -- sh -c 'exit 9' || echo \$?
            $folder/layerbox container-enter mine --user root -- id -u
            $folder/layerbox container-enter mine --user 4000 -- id -u 2>&1 || echo \$?
            EOF
            chmod 644 $folder/script
            """;
        ProcessResult result = ChildProcess.Run(new ProgramStart(
            "unshare", ["--mount", "bash", "-euo", "pipefail", "-c", AsUser, "as", root.Outside(""), $"{prepare}; {script}", "sh", root.Outside("script")]), Array.Empty<byte>());
        Assert.Equal("", result.ErrorText);
        string[] parts = result.OutputText.Split("end\n=\n");
        string numbered = user.Length > 0 ? "4000\n" : "container-enter: uid 4000 is not mapped: the container has no such number\n125\n";
        Assert.Equal(2, parts.Length);
        Assert.Contains("own\n", parts[0]);
        Assert.Equal($"1\n{parts[0]}9\n0\n{numbered}", parts[1]);
    }

    [Fact]
    public void What_a_signal_ends_is_ended_and_reported()
    {
        using ContainerRoot root = Root();
        Assert.Equal(137, Run(root, ":", root.Path, "--", "sh", "-c", "kill -KILL $$").Exit.Status);
        Assert.Equal(124, Run(root, ":", root.Path, "--timeout", "1s", "--", "sleep", "100").Exit.Status);
        Assert.Equal(127, Run(root, SubIds, root.Path, "--user", "web", "--", "nope").Exit.Status);
    }

    [Fact]
    public void A_tree_of_somebody_else_is_nobodys_inside()
    {
        using ContainerRoot root = Root(isOwned: false);
        Assert.Equal("65534\n1\n", Published.Succeed(Run(root, ":", root.Path, "--", "sh", "-c", "stat -c %u /etc/passwd; touch /tmp/x; { echo x > /etc/passwd; } 2>/dev/null || echo 1")));
    }

    [Theory]
    [InlineData(":", "uid 33 is not mapped: add sub-ids for layerboxtest to /etc/subuid and /etc/subgid, for instance by: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 layerboxtest", "--user", "web")]
    [InlineData($"{SubIds}; mount --bind /dev/null /usr/bin/newuidmap", "uid 33 is not mapped: install newuidmap and newgidmap (package uidmap)", "--user", "web")]
    [InlineData("echo 'layerboxtest:700000:20' | tee /etc/subuid > /etc/subgid", "uid 33 is not mapped: there are no more sub-uids in /etc/subuid", "--user", "web")]
    [InlineData("echo 'layerboxtest:700000:33' | tee /etc/subuid > /etc/subgid", "gid 34 is not mapped: there are no more sub-gids in /etc/subgid", "--user", "web")]
    [InlineData(":", "systemd-nspawn needs root: run this with sudo", "--engine", "nspawn")]
    [InlineData(":", "a system that boots needs root: run this with sudo", "--boot")]
    [InlineData(":", "a user namespace with other numbers needs root; a plain user's container has one already: leave out --user-namespace", "--user-namespace", "auto")]
    public void Says_what_it_needs(string prepare, string message, params string[] options)
    {
        using ContainerRoot root = Root();
        ProcessResult result = Run(root, prepare, [root.Path, .. options, "--", "id"]);
        Assert.Equal(($"container-run: {message}\n", 125), (result.ErrorText, result.Exit.Status));
        result = Run(root, prepare, [root.Path, .. options, "--timeout", "20s", "--", "id"]);
        Assert.Equal(($"container-run: {message}\n", 125), (result.ErrorText, result.Exit.Status));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--in-place")]
    public void Says_when_there_may_be_no_more_namespaces(string option)
    {
        using ContainerRoot root = Root();
        string run = $"echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --reuid {User} --regid {User} --clear-groups {root.Outside("layerbox")} container-run {root.Path} {option} -- id";
        ProcessResult result = ChildProcess.Run(new ProgramStart("bash", "-euo", "pipefail", "-c", InNamespace, "in", run), Array.Empty<byte>());
        Assert.Equal(("container-run: no more namespaces for this user: /proc/sys/user/max_user_namespaces is 0: run this as root, or raise that\n", 125), (result.ErrorText, result.Exit.Status));
    }

    [Fact]
    public void A_container_runs_in_a_container_that_may()
    {
        using ContainerRoot root = ContainerRoot.OrSkip(), inner = ContainerRoot.OrSkip();
        string tool = Published.OrSkip();
        (string Engine, int Status, string Output) Nested(params string[] options)
        {
            ProcessResult result = ChildProcess.Run(new ProgramStart(
                tool, ["container-run", root.Path, "--bind", $"{tool}:/layerbox:ro", "--bind", $"{inner.Path}:/inner", .. options, "--", "/layerbox", "container-run", "/inner", "--", "sh", "-c", "echo inside; exit 7"]),
                Array.Empty<byte>());
            return (result.ErrorText, result.Exit.Status ?? -1, result.OutputText);
        }
        Assert.Equal(("", 7, "inside\n"), Nested("--capability", "all", "--seccomp", "none"));
        Assert.Equal(("", 7, "inside\n"), Nested("--engine", "nspawn", "--capability", "all", "--seccomp", "none"));
        Assert.Equal(("", 7, "inside\n"), Nested("--capability", "CAP_SYS_ADMIN", "--capability", "CAP_NET_ADMIN"));
        Assert.Equal(("container-run: /inner: clone: Function not implemented: no container can be made here, as in one without CAP_SYS_ADMIN\n", 125, ""), Nested());
    }
}
