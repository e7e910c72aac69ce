using Layerbox.Nspawn;

namespace Layerbox.Tests.Nspawn;

/// <summary>Who the users of a container without root are, by the files that say so.</summary>
public class UserNamespaceTests
{
    private static UserNamespace Of(TempFolder etc, string subuid, string subgid)
    {
        System.IO.File.WriteAllText(etc / "passwd", "root:x:0:0::/root:/bin/sh\nanna:x:1000:1000::/:/bin/sh\n");
        System.IO.File.WriteAllText(etc / "subuid", subuid);
        System.IO.File.WriteAllText(etc / "subgid", subgid);
        return UserNamespace.Of(1000, 1000, etc.Path);
    }

    [Theory]
    [InlineData("anna:100000:65536", "0 1000 1\n1 100000 65535")]
    [InlineData("1000:100000:65536", "0 1000 1\n1 100000 65535")]
    [InlineData("otto:100:5\nanna:100000:10\nanna:300000:20\n", "0 1000 1\n1 100000 10\n11 300000 20")]
    [InlineData("anna:100000:0\nanna:x:1\nanna:1\n\nanna:200000:3", "0 1000 1\n1 200000 3")]
    [InlineData("otto:100000:65536", "0 1000 1")]
    [InlineData("", "0 1000 1")]
    public void Reads_the_numbers_that_a_user_was_given(string lines, string map)
    {
        Assert.SkipUnless(System.IO.File.Exists("/usr/bin/newuidmap"), "needs newuidmap (package uidmap)");
        using TempFolder etc = new();
        UserNamespace users = Of(etc, lines, lines);
        Assert.Equal((map, map), (string.Join('\n', users.Users), string.Join('\n', users.Groups)));
    }

    [Fact]
    public void Users_without_groups_are_none()
    {
        using TempFolder etc = new();
        UserNamespace users = Of(etc, "anna:100000:65536", "");
        Assert.Equal(("0 1000 1", "0 1000 1", false), (string.Join('\n', users.Users), string.Join('\n', users.Groups), users.MaySetGroups));
    }

    [Theory]
    [InlineData(1000u, 0u)]
    [InlineData(300000u, 11u)]
    [InlineData(300019u, 30u)]
    [InlineData(300020u, null)]
    [InlineData(99999u, null)]
    [InlineData(0u, null)]
    public void Knows_who_somebody_is_inside(uint outside, uint? inside) =>
        Assert.Equal(inside, UserNamespace.Inside([new(0, 1000, 1), new(1, 100000, 10), new(11, 300000, 20)], outside));

    [Fact]
    public void Says_what_gives_more_users()
    {
        using TempFolder etc = new();
        UserNamespace users = Of(etc, "", "");
        users.Check(ContainerUser.Root);
        Assert.Equal(
            "uid 33 is not mapped: add sub-ids for anna to /etc/subuid and /etc/subgid, for instance by: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 anna",
            Assert.Throws<ContainerException>(() => users.Check(new ContainerUser(33, 0, [], "/"))).Message);
        Assert.StartsWith("gid 5 is not mapped: ", Assert.Throws<ContainerException>(() => users.Check(new ContainerUser(0, 5, [], "/"))).Message, StringComparison.Ordinal);
        // Groups that nobody can join are none of the command's.
        users.Check(new ContainerUser(0, 0, [5], "/"));
    }
}
