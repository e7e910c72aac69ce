using System.Globalization;
using System.Text.RegularExpressions;
using Layerbox.Btrfs;
using Layerbox.Posix;

namespace Layerbox.Tests.Btrfs;

public sealed class QuotaTests
{
    [Theory]
    [InlineData(QuotaMode.Full)]
    [InlineData(QuotaMode.Simple)]
    public void Limits_a_subvolume_and_counts_what_is_in_it(QuotaMode mode)
    {
        using TempVolume volume = TempVolume.OrSkip(1L << 30);
        string path = volume / "a";
        Subvolume.Create(path);
        Assert.Equal((QuotaMode.Off, null), (Quota.Mode(path), Quota.Usage(path)));
        Quota.SetMode(path, mode);
        Assert.Equal(mode, Quota.Mode(path));
        Quota.SetLimit(path, 4 << 20);
        Programs.Shell($"head -c 1M /dev/urandom > {path}/f; sync");
        QuotaUsage usage = Quota.Usage(path)!;
        Assert.Equal((4UL << 20, null), (usage.MaxReferenced, usage.MaxExclusive));
        Assert.InRange(usage.Referenced, 1UL << 20, (1UL << 20) + (64 << 10));
        if (mode == QuotaMode.Full)
            Assert.Equal(ShownByBtrfs(path), (usage.Referenced, usage.Exclusive, usage.MaxReferenced));
        Assert.Contains("Disk quota exceeded", Programs.Try("dd", "if=/dev/urandom", $"of={path}/g", "bs=1M", "count=16", "conv=fsync").Err, StringComparison.Ordinal);
        Quota.SetLimit(path, null);
        Assert.Null(Quota.Usage(path)!.MaxReferenced);
        Programs.Run("dd", "if=/dev/urandom", $"of={path}/g", "bs=1M", "count=16", "conv=fsync");
    }

    [Fact]
    public void Says_that_quotas_are_off_or_of_the_other_kind()
    {
        using TempVolume volume = TempVolume.OrSkip(1L << 30);
        string path = volume / "a";
        Subvolume.Create(path);
        Assert.Equal($"{path}: quota limit: quotas are off on this filesystem", Assert.Throws<PosixException>(() => Quota.SetLimit(path, 1)).Message);
        Quota.SetMode(path, QuotaMode.Full);
        Quota.SetMode(path, QuotaMode.Full);
        Assert.Equal($"{path}: quota control: full quotas are on: turn them off first", Assert.Throws<PosixException>(() => Quota.SetMode(path, QuotaMode.Simple)).Message);
        Quota.SetMode(path, QuotaMode.Off);
        Assert.Equal(QuotaMode.Off, Quota.Mode(path));
    }

    private static (ulong Referenced, ulong Exclusive, ulong? MaxReferenced) ShownByBtrfs(string path)
    {
        GroupCollection shown = Regex.Match(Programs.Run("btrfs", "qgroup", "show", "-r", "-f", "--raw", path), @"^0/\d+\s+(\d+)\s+(\d+)\s+(\d+)", RegexOptions.Multiline).Groups;
        ulong Number(int group) => ulong.Parse(shown[group].Value, CultureInfo.InvariantCulture);
        return (Number(1), Number(2), Number(3));
    }
}
