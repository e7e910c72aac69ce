using Layerbox.Rpm;

namespace Layerbox.Tests.Rpm;

/// <summary>Versions sort as rpm sorts them.</summary>
public class RpmVersionTests
{
    [Theory]
    [InlineData("1.0", "1.0", 0)]
    [InlineData("1.0", "2.0", -1)]
    [InlineData("1.0.1", "1.0", 1)]
    [InlineData("1.0a", "1.0", 1)]
    [InlineData("1.0~rc1", "1.0", -1)]
    [InlineData("1.0~rc1", "1.0~rc2", -1)]
    [InlineData("1.0^git1", "1.0", 1)]
    [InlineData("1.0^git1", "1.0.1", -1)]
    [InlineData("1.0^git1~pre", "1.0^git1", -1)]
    [InlineData("1.010", "1.10", 0)]
    [InlineData("99999999999999999999999999999999999999", "100000000000000000000000000000000000000", -1)]
    [InlineData("a", "1", -1)]
    [InlineData("1_2", "1.2", 0)]
    [InlineData("1.", "1", 0)]
    [InlineData("ü", "é", 0)]
    [InlineData("", "", 0)]
    [InlineData("", "~", 1)]
    [InlineData("", "^", -1)]
    public void Known_pairs(string a, string b, int order)
    {
        Assert.Equal(order, RpmVersion.Compare(a, b));
        Assert.Equal(-order, RpmVersion.Compare(b, a));
    }

    [Fact]
    public void Thousands_of_random_pairs_are_ordered_as_rpm_orders_them()
    {
        Random random = new(1);
        // Without "-" and ":", at which rpm.vercmp takes a whole EVR apart.
        string[] parts = ["0", "1", "00", "01", "9", "10", "a", "b", "Z", "rc", ".", "_", "+", "~", "^", "~~", "^^", ".~", "ä"];
        (string A, string B)[] pairs = [.. Enumerable.Range(0, 20_000).Select(_ => (Version(), Version()))];
        string expected = Lua("rpm.vercmp(a, b)", pairs);
        Assert.Equal(expected, string.Concat(pairs.Select(pair => $"{pair.A} {pair.B} {RpmVersion.Compare(pair.A, pair.B)}\n")));

        string Version() => string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => parts[random.Next(parts.Length)]));
    }

    [Fact]
    public void Epochs_versions_and_releases_are_ordered_as_rpm_orders_them()
    {
        Random random = new(2);
        string[] epochs = ["", "", "0:", "1:", "10:"], versions = ["1", "1.0", "1.1", "1~a", "1^b", "2"], releases = ["-1", "-2", "-1.fc40", "-1~x"];
        (string A, string B)[] pairs = [.. Enumerable.Range(0, 5000).Select(_ => (Next(), Next()))];
        string expected = Lua("(rpm.ver(a) < rpm.ver(b)) and -1 or ((rpm.ver(a) > rpm.ver(b)) and 1 or 0)", pairs);
        Assert.Equal(expected, string.Concat(pairs.Select(pair => $"{pair.A} {pair.B} {Evr.Parse(pair.A).CompareTo(Evr.Parse(pair.B))}\n")));

        string Next() => epochs[random.Next(epochs.Length)] + versions[random.Next(versions.Length)] + releases[random.Next(releases.Length)];
    }

    [Theory]
    [InlineData("bash-5.2-1.x86_64", "bash", 0, "5.2", "1", "x86_64")]
    [InlineData("bash-3:5.2-1.fc40.x86_64", "bash", 3, "5.2", "1.fc40", "x86_64")]
    [InlineData("3:bash-5.2-1.x86_64", "bash", 3, "5.2", "1", "x86_64")]
    [InlineData("a-b-c-1~rc-2^x.noarch", "a-b-c", 0, "1~rc", "2^x", "noarch")]
    public void Names_are_taken_apart(string text, string name, uint epoch, string version, string release, string arch)
    {
        Nevra nevra = Nevra.Parse(text);
        Assert.Equal(new Nevra(name, new Evr(epoch, version, release), arch), nevra);
        Assert.Equal(nevra, Nevra.Parse(nevra.ToString()));
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("bash-1.x86_64")]
    [InlineData("bash-1-2")]
    [InlineData("-1-2.x")]
    [InlineData("a--2.x")]
    [InlineData("a-1-.x")]
    [InlineData("a-1-2.")]
    [InlineData("a-x:1-2.y")]
    [InlineData("a-99999999999:1-2.y")]
    public void What_is_no_name_is_refused(string text) => Assert.Throws<FormatException>(() => Nevra.Parse(text));

    private static string Lua(string expression, (string A, string B)[] pairs)
    {
        using TempFolder folder = new();
        File.WriteAllLines(folder / "pairs", pairs.Select(pair => $"{pair.A} {pair.B}"));
        string script = $"for l in io.lines('{folder / "pairs"}') do local a, b = l:match('(%S+) (%S+)'); print(a .. ' ' .. b .. ' ' .. ({expression}) .. '\\n') end";
        File.WriteAllText(folder / "script.lua", script);
        return Programs.Run("rpm", "--eval", $"%{{lua: dofile('{folder / "script.lua"}')}}").TrimEnd('\n') + "\n";
    }
}
