using System.Text;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>What policies leave of packages, and when they cannot be followed.</summary>
public class VersionPolicyTests
{
    // REPO/NEVRA SOURCE DAY-OF-BUILD
    private const string All = """
        base/bash-5.1-1.x86_64 bash-5.1-1.src.rpm 1
        base/bash-5.1-2.x86_64 bash-5.1-2.src.rpm 2
        updates/bash-5.2-1.x86_64 bash-5.2-1.src.rpm 3
        base/libc-2.1-1.x86_64 glibc-2.1-1.src.rpm 1
        base/libc-2.1-1.i686 glibc-2.1-1.src.rpm 1
        base/libc-tools-2.1-1.x86_64 glibc-2.1-1.src.rpm 1
        updates/libc-2.2-1.x86_64 glibc-2.2-1.src.rpm 2
        updates/libc-2.2-1.i686 glibc-2.2-1.src.rpm 2
        updates/libc-tools-2.2-1.x86_64 glibc-2.2-1.src.rpm 2
        updates/libc-2.3-1.x86_64 glibc-2.3-1.src.rpm 4
        base/vim-1:9.0-1.noarch vim-9.0-1.src.rpm 1
        base/vim-debuginfo-1:9.0-1.noarch vim-9.0-1.src.rpm 1
        base/old-1-1.noarch - -
        """;

    [Theory]
    [InlineData("{}", "")]
    [InlineData("{'newest': 1}", "bash-5.1-1.x86_64 bash-5.1-2.x86_64 libc-2.1-1.x86_64 libc-2.1-1.i686 libc-tools-2.1-1.x86_64 libc-2.2-1.x86_64")]
    [InlineData("{'newest': 2}", "bash-5.1-1.x86_64 libc-2.1-1.x86_64")]
    [InlineData("{'as_of': '1970-01-03', 'allow': ['bash']}", "bash-5.2-1.x86_64 libc* vim* old*")]
    [InlineData("{'as_of': '1970-01-02T23:59:59+00:00', 'allow': ['bash']}", "bash-5.1-2.x86_64 bash-5.2-1.x86_64 libc* vim* old*")]
    [InlineData("{'deny': ['*-debuginfo', {'name': 'bash', 'evr': '< 5.1-2'}]}", "bash-5.1-1.x86_64 vim-debuginfo-1:9.0-1.noarch")]
    [InlineData("{'deny': [{'repo': 'up*', 'evr': '5.2'}, {'arch': 'i?86'}]}", "bash-5.2-1.x86_64 libc-2.1-1.i686 libc-2.2-1.i686")]
    [InlineData("{'deny': [{'name': 'vim*', 'evr': '9.0-1'}]}", "")] // the epoch is part of a version
    [InlineData("{'deny': [{'name': 'vim', 'evr': '>= 1:9'}]}", "vim-1:9.0-1.noarch")]
    [InlineData("{'allow': ['bash', 'o?d'], 'newest': 1}", "bash-5.1-1.x86_64 bash-5.1-2.x86_64 libc* vim*")]
    [InlineData("{'pin': [{'name': 'bash', 'evr': '5.1-1'}], 'newest': 1, 'deny': ['libc*']}", "bash-5.1-2.x86_64 bash-5.2-1.x86_64 libc*")]
    [InlineData("{'pin': [{'name': 'bash', 'evr': '5.1'}]}", "bash-5.2-1.x86_64")]
    [InlineData("{'pin': [{'name': 'libc', 'evr': '2.1', 'arch': 'i686'}]}", "libc-2.2-1.i686")]
    [InlineData("{'groups': [{'members': ['libc', 'libc-tools']}]}", "libc-2.1-1.x86_64 libc-2.1-1.i686 libc-tools-2.1-1.x86_64 libc-2.3-1.x86_64")]
    [InlineData("{'groups': [{'members': ['libc', 'libc-tools'], 'by': 'version'}]}", "libc-2.1-1.x86_64 libc-2.1-1.i686 libc-tools-2.1-1.x86_64 libc-2.3-1.x86_64")]
    [InlineData("{'groups': [{'members': ['libc', 'libc-*']}]}", "libc-2.1-1.x86_64 libc-2.1-1.i686 libc-tools-2.1-1.x86_64 libc-2.2-1.x86_64 libc-2.2-1.i686 libc-tools-2.2-1.x86_64")]
    [InlineData("{'pin': [{'name': 'libc-tools', 'evr': '2.1'}], 'groups': [{'members': ['libc', 'libc-tools']}]}", "libc-tools-2.2-1.x86_64 libc-2.2-1.x86_64 libc-2.2-1.i686 libc-2.3-1.x86_64")]
    public void Leaves_what_is_wanted(string policy, string leftOut)
    {
        PolicySelection selection = Select(policy);
        Assert.Empty(selection.Refusals);
        string[] patterns = leftOut.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            Packages().Select(package => package.Nevra.ToString()).Where(nevra => patterns.Any(pattern => NamePattern.Matches(pattern, nevra))).Order(StringComparer.Ordinal),
            selection.LeftOut.Keys.Select(package => package.Nevra.ToString()).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("{'pin': [{'name': 'bash', 'evr': '5.3-1'}]}", "pin bash 5.3-1: of bash there is only 5.2-1, 5.1-2, 5.1-1")]
    [InlineData("{'pin': [{'name': 'zsh', 'evr': '1'}, {'name': 'vim', 'evr': '9.0'}]}", "pin zsh 1: there is no such package|pin vim 9.0: of vim there is only 1:9.0-1")]
    [InlineData("{'pin': [{'name': 'libc*', 'evr': '2.3'}]}", "pin libc* 2.3: of libc-tools there is only 2.2-1, 2.1-1")]
    [InlineData("{'as_of': '1970-01-03', 'pin': [{'name': 'bash', 'evr': '5.2'}]}", "pin bash 5.2: bash-5.2-1.x86_64 is left out by another rule: built 1970-01-04T00:00:00Z, after as_of")]
    [InlineData("{'deny': ['bash'], 'pin': [{'name': 'bash', 'evr': '5.2'}]}", "pin bash 5.2: bash-5.2-1.x86_64 is left out by another rule: denied: bash")]
    [InlineData("{'groups': [{'name': 'c', 'members': ['libc', 'libc-tools', 'libc-doc']}]}", "group c: no source package has all members: the newest, glibc-2.3-1.src.rpm, lacks libc-tools, libc-doc")]
    [InlineData("{'groups': [{'members': ['zsh']}]}", "group zsh: there is none of its members")]
    [InlineData("{'groups': [{'members': ['old']}]}", "group old: old-1-1.noarch: the metadata does not say which source package it was built from")]
    [InlineData("{'pin': [{'name': 'libc', 'evr': '2.3'}], 'groups': [{'members': ['libc', 'libc-tools']}]}", "group libc: no source package has all members: the newest, glibc-2.3-1.src.rpm, lacks libc-tools")]
    public void Says_what_cannot_be_had(string policy, string refusals) => Assert.Equal(refusals.Split('|'), Select(policy).Refusals);

    [Theory]
    [InlineData("", "line 1, column 1: ")]
    [InlineData("[]", "an object is expected")]
    [InlineData("{'pins': []}", "member 'pins' is not known; there are as_of, allow, deny, pin, groups, newest")]
    [InlineData("{'newest': 1, 'newest': 2}", "member 'newest' is given twice")]
    [InlineData("{'newest': 0}", "newest: a whole number from 1 is expected")]
    [InlineData("{'newest': 1.5}", "newest: a whole number from 1 is expected")]
    [InlineData("{'as_of': 'yesterday'}", "as_of: 'yesterday' is no date")]
    [InlineData("{'deny': 'x'}", "deny: an array is expected")]
    [InlineData("{'deny': ['a', '']}", "deny[1]: a text is expected")]
    [InlineData("{'deny': [{}]}", "deny[0]: a rule that is empty")]
    [InlineData("{'deny': [{'name': 'a', 'version': '1'}]}", "deny[0]: member 'version' is not known; there are name, evr, arch, repo")]
    [InlineData("{'pin': ['bash']}", "pin[0]: an object is expected")]
    [InlineData("{'pin': [{'name': 'bash'}]}", "pin[0]: 'name' and 'evr' are expected")]
    [InlineData("{'pin': [{'name': 'bash', 'evr': '1 2'}]}", "pin[0].evr: '1 2' is no version such as")]
    [InlineData("{'pin': [{'name': 'bash', 'evr': 'x:1'}]}", "pin[0].evr: 'x:1': the epoch 'x' is no number")]
    [InlineData("{'groups': [{'members': []}]}", "groups[0]: 'members' is missing or empty")]
    [InlineData("{'groups': [{'members': ['a'], 'by': 'name'}]}", "groups[0].by: either 'source' or 'version' is expected")]
    public void Says_what_is_wrong_with_a_policy(string policy, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<InvalidDataException>(() => Parse(policy)).Message, StringComparison.Ordinal);

    [Fact]
    public void Patterns_match_as_in_a_shell()
    {
        foreach ((string pattern, string name, bool matches) in (ReadOnlySpan<(string, string, bool)>)[
            ("*", "", true), ("", "", true), ("", "a", false), ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXbY", false), ("?", "", false), ("a?c", "abc", true), ("**a", "ba", true), ("[a]", "a", false)])
            Assert.Equal((pattern, name, matches), (pattern, name, NamePattern.Matches(pattern, name)));
        Assert.False(NamePattern.Matches(string.Concat(Enumerable.Repeat("*a", 500)) + "b", new string('a', 100_000)));
    }

    private static VersionPolicy Parse(string policy) => VersionPolicy.Parse(Encoding.UTF8.GetBytes(policy.Replace('\'', '"')));

    private static PolicySelection Select(string policy) => PolicySelection.Of(Parse(policy), Packages());

    private static List<PolicyPackage> Packages() => [.. All.Split('\n').Select((line, index) =>
    {
        string[] parts = line.Trim().Split(' '), place = parts[0].Split('/');
        return new PolicyPackage(place[0], index, Nevra.Parse(place[1]), parts[1] == "-" ? null : parts[1], parts[2] == "-" ? null : long.Parse(parts[2], null) * 86400);
    })];
}
