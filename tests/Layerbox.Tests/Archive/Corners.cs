using Layerbox.FileTree;
using Layerbox.Rootfs;

namespace Layerbox.Tests.Archive;

/// <summary>Real directories that hold what archives get wrong, made by shell as root, and the comparison of trees.</summary>
internal static class Corners
{
    /// <summary>What every format can hold.</summary>
    private const string Plain =
        """
        mkdir -p d/e empty sticky; chmod 0700 d; chmod 01777 sticky
        printf hello > d/file; printf 'setuid' > d/e/su; chmod 04755 d/e/su; chmod 02750 d/e
        : > nothing; chmod 0000 nothing
        head -c 512 /dev/urandom > block; head -c 1300000 /dev/urandom > big
        ln d/file link1; ln d/file d/e/link2; ln -s ../nowhere 'sym link'; chown -h 12:34 'sym link'; ln 'sym link' symlink2
        printf x > $'latin1-\xe9\xff'; printf y > 'grün'; printf z > $'new\nline'; printf w > ' '; printf v > '.wh.x'
        chown 1000:2000 d d/file; chown 65534:65534 empty
        """;

    private const string Nodes = "mkfifo -m 0622 fifo; mknod -m 0666 null c 1 3; mknod -m 0640 disk b 259 65539";

    /// <summary>Names that ustar holds with its prefix, and a name and a link that exactly fill their fields.</summary>
    private const string Split =
        """
        n=$(printf 'n%.0s' {1..100}); p=$(printf 'p%.0s' {1..50}); printf 1 > $n; ln -s $n l100
        mkdir -p $p/$p/$p; printf 2 > $p/$p/$p/$n
        """;

    private const string Long =
        """
        n=$(printf 'L%.0s' {1..120}); printf 120 > $n; ln $n z-$n; ln -s $n sym-$n
        n=$(printf 'M%.0s' {1..255}); mkdir $n; printf 255 > $n/$n; ln $n/$n zz
        n=$(printf '\xff%.0s' {1..251}); mkdir -p $n/$n; printf raw > $n/$n/$n; ln $n/$n/$n zzz
        d=$(printf 'd%.0s' {1..199}); (for i in {1..19}; do mkdir $d; cd $d; done; printf deep > $(printf 'f%.0s' {1..190}))
        ln -s $(printf 't%.0s' {1..4095}) target4095; ln -s $(printf '\xfe%.0s' {1..300}) rawtarget
        """;

    private const string BigIds = "printf 1 > ids; chown 4000000000:3999999999 ids; ln -s x idl; chown -h 2097152:2097151 idl";
    private const string OldTimes = "printf 1 > t1; touch -d @-5 t1; printf 1 > t2; touch -d @0 t2; printf 1 > t3; touch -d @9999999999 t3";

    private const string FineTimes =
        """
        printf 1 > f1; touch -d @1234567890.123456789 f1; printf 1 > f2; touch -d @1.5 f2; mkdir f3; touch -d @77.000000001 f3
        """;

    // bsdtar gets these wrong.
    private const string FineOldTimes = "printf 1 > g1; touch -d @-5.25 g1; printf 1 > g2; touch -d @-0.000000001 g2";

    private const string Xattrs =
        """
        printf 1 > x1; setfattr -n user.text -v hello x1; setfattr -n user.binary -v 0x000a3d00ff25 x1; setfattr -n user.empty x1
        ln x1 x1-link
        printf 1 > cap; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 cap
        mkdir xd; setfattr -n user.dir -v $(printf 'v%.0s' {1..3000}) xd; setfattr -n trusted.overlay.opaque -v y xd
        """;

    // How such names are escaped is a thing of each tar.
    private const string OddXattrs = "printf 1 > odd; setfattr -n 'user.a=b%3D %25' -v odd odd; setfattr -n $'user.\\xff' -v raw odd";

    private const string Acls = "printf 1 > acl; setfacl -m u:1234:rw,g:4321:r acl; mkdir acls; setfacl -d -m u:5432:rwx acls; setfacl -m g:4321:x acls";

    private const string Holes =
        """
        truncate -s 3M allhole; truncate -s 10M s1; printf data | dd of=s1 bs=1 seek=5000000 conv=notrunc status=none
        for i in {1..60}; do head -c 4096 /dev/urandom | dd of=s2 bs=4096 seek=$((i * 5)) conv=notrunc status=none; done; truncate -s 2000001 s2
        """;

    private static readonly Dictionary<string, string> s_scripts = new()
    {
        ["plain"] = Plain,
        ["nodes"] = Nodes,
        ["split"] = Split,
        ["long"] = Long,
        ["ids"] = BigIds,
        ["old"] = OldTimes,
        ["fine"] = FineTimes,
        ["fineold"] = FineOldTimes,
        ["xattrs"] = Xattrs,
        ["oddxattrs"] = OddXattrs,
        ["acls"] = Acls,
        ["holes"] = Holes,
    };

    /// <summary>Makes the directory DIR/tree with the corners named, all times whole seconds unless the corner is about times.</summary>
    public static string Make(TempFolder folder, string corners)
    {
        Privileged.OrSkip();
        if (corners.Contains("xattrs", StringComparison.Ordinal))
            Oracles.OrSkip("setfattr");
        if (corners.Contains("acls", StringComparison.Ordinal))
            Oracles.OrSkip("setfacl");
        string all = string.Join('\n', corners.Split(' ').Order(StringComparer.Ordinal).Select(name => s_scripts[name]));
        string tree = folder / "tree";
        // The times first: setting them afterwards would undo those that a corner sets.
        Programs.Shell(
            $"""
            mkdir '{tree}'; cd '{tree}'; umask 022; {all}
            find . -newermt '2026-01-01' ! -newermt '2099-01-01' -exec touch -h -d @1700000000 -- '{"{}"}' +
            chmod 0751 .; chown 3:4 .; touch -d @1600000000 .
            """);
        return tree;
    }

    /// <summary>Fails with the list of what differs.</summary>
    public static void AssertEqual(Tree expected, Tree actual)
    {
        IReadOnlyList<TreeChange> changes = TreeDifference.Compare(expected, actual);
        Assert.Equal([], changes);
        Assert.Equal(TreeDigest.Compute(expected), TreeDigest.Compute(actual));
    }

    public static void AssertEqual(string directory, Tree actual) => AssertEqual(RootfsReader.Read(directory), actual);
}
