using System.CommandLine;
using System.Globalization;
using Layerbox.Nspawn;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Cmd.Containers;

/// <summary>The options of a container that say what its command can reach and how much it may use.</summary>
internal sealed class LimitOptions
{
    private readonly Option<string[]> _capability = new("--capability") { Description = "Leave the command this capability too, such as CAP_MKNOD; all: all that you have yourself.", HelpName = "CAP" };
    private readonly Option<string[]> _dropCapability = new("--drop-capability") { Description = "Take this capability from the command; all: every one but those of --capability.", HelpName = "CAP" };
    private readonly Option<string?> _userNamespace = new("--user-namespace") { Description = "Make the users inside others outside, with no right on this machine: RANGE is FROM or FROM:COUNT, or auto for numbers that nobody has. Needs root.", HelpName = "RANGE" };
    private readonly Option<string[]> _mask = new("--mask") { Description = "Hide what is here: a folder is seen empty, a file like /dev/null.", HelpName = "PATH" };
    private readonly Option<string[]> _device = new("--device") { Description = "Let the command use this device of the host.", HelpName = "PATH" };
    private readonly Option<string[]> _rlimit = new("--rlimit") { Description = "Limit each process, such as NOFILE=1024:4096 or CORE=0; unlimited is a value too. See setrlimit(2).", HelpName = "NAME=SOFT[:HARD]" };
    private readonly Option<string?> _oomScore = new("--oom-score-adj") { Description = "Have the command killed sooner (up to 1000) or later (down to -1000) when memory runs out.", HelpName = "N" };
    private readonly Option<string?> _umask = new("--umask") { Description = "The command's file mode creation mask in octal. Default: 0022.", HelpName = "MODE" };
    private readonly Option<string[]> _forward = new("--forward-fd") { Description = "Hand these open descriptors on, as 3, 4 and so on; LISTEN_FDS and LISTEN_PID say so inside.", HelpName = "N[,N]" };
    private readonly Option<string?> _killGrace = new("--kill-grace") { Description = "When the time of --timeout is up, send SIGTERM and kill only after this time.", HelpName = "TIME" };

    private readonly Option<string?> _memory = new("--memory") { Description = "All processes together may use so much memory, such as 512M; what needs more is killed, with exit status 137.", HelpName = "SIZE" };
    private readonly Option<string?> _swap = new("--swap") { Description = "And so much swap; 0: none. Needs --memory.", HelpName = "SIZE" };
    private readonly Option<string?> _pids = new("--pids") { Description = "At most so many processes and threads, one of layerbox included.", HelpName = "N" };
    private readonly Option<string?> _cpus = new("--cpus") { Description = "The time of so many processors, such as 1.5.", HelpName = "N" };
    private readonly Option<string?> _cpuset = new("--cpuset") { Description = "These processors only.", HelpName = "LIST" };
    private readonly Option<string?> _ioWeight = new("--io-weight") { Description = "Share of disk time against others, from 1 to 10000; the usual one is 100.", HelpName = "N" };
    private readonly Option<string[]> _ioMax = new("--io-max") { Description = "Limit a block device: rbps and wbps are bytes a second read and written, riops and wiops how often.", HelpName = "DEV:KEY=N[,KEY=N]" };

    /// <summary>Those that are no part of a container's description, so that they may stand beside one.</summary>
    public IEnumerable<Option> OfBundle => [_forward, _killGrace];

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_capability, _dropCapability, _userNamespace, _mask, _device, _rlimit, _oomScore, _umask, _forward, _killGrace, _memory, _swap, _pids, _cpus, _cpuset, _ioWeight, _ioMax])
            command.Add(option);
    }

    /// <summary>What the options say, for a description that they are yet to be put into.</summary>
    /// <exception cref="UsageException">One cannot be read.</exception>
    public Func<ContainerSpec, ContainerSpec> Read(ParseResult args)
    {
        ResourceLimit[] limits = [.. Values(_rlimit).Select(Limit)];
        int? score = args.GetValue(_oomScore) is { } text ? Score(text) : null;
        uint? umask = args.GetValue(_umask) is { } mode ? Mode(mode) : null;
        SafeFileHandle[] descriptors = [.. Values(_forward).SelectMany(list => list.Split(',')).Select(Descriptor)];
        TimeSpan grace = args.GetValue(_killGrace) is { } time ? Quantity.Duration(time, _killGrace.Name) : TimeSpan.Zero;
        ContainerLimits all = new()
        {
            Memory = args.GetValue(_memory) is { } memory ? Quantity.Bytes(memory, _memory.Name) : null,
            Swap = args.GetValue(_swap) is { } swap ? Quantity.Bytes(swap, _swap.Name) : null,
            Processes = args.GetValue(_pids) is { } pids ? Count(pids, _pids.Name) : null,
            Processors = args.GetValue(_cpus) is { } cpus ? Decimal(cpus) : null,
            ProcessorSet = args.GetValue(_cpuset),
            DiskWeight = args.GetValue(_ioWeight) is { } weight ? (int)Math.Min(Count(weight, _ioWeight.Name), int.MaxValue) : null,
            Disks = [.. Values(_ioMax).Select(Disk)],
        };
        UserRange? users = args.GetValue(_userNamespace) is { } range ? Users(range) : null;
        return spec => spec with
        {
            UserRange = users,
            Capabilities = Values(_capability),
            DroppedCapabilities = Values(_dropCapability),
            Masks = Values(_mask),
            Devices = Values(_device),
            ResourceLimits = limits,
            Limits = all,
            OutOfMemoryScore = score,
            Umask = umask,
            ForwardedDescriptors = descriptors,
            KillGrace = grace,
        };

        string[] Values(Option<string[]> option) => args.GetValue(option) ?? [];
    }

    private static UserRange Users(string text)
    {
        if (text == "auto")
            return new UserRange(null, UserRange.UsualCount);
        string[] parts = text.Split(':');
        uint[] numbers = [.. parts.Select(part => uint.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : 0)];
        return numbers is [> 0] or [> 0, > 0]
            ? new UserRange(numbers[0], numbers.Length == 2 ? numbers[1] : UserRange.UsualCount)
            : throw new UsageException($"option '--user-namespace': expected auto, FROM or FROM:COUNT, such as 524288:65536, found '{text}'");
    }

    private static ResourceLimit Limit(string text)
    {
        string[] parts = text.Split('=', ':');
        if (text.IndexOf('=', StringComparison.Ordinal) != parts[0].Length || parts.Length is < 2 or > 3 || Value(parts[1]) is not { } soft || Value(parts[^1]) is not { } hard)
            throw new UsageException($"option '--rlimit': expected NAME=SOFT or NAME=SOFT:HARD, such as NOFILE=1024, found '{text}'");
        return ResourceLimit.NameOf(parts[0]) is { } name
            ? new ResourceLimit(name, soft, hard)
            : throw new UsageException($"option '--rlimit': no limit '{parts[0]}'; there are {string.Join(", ", ResourceLimit.Names)}");

        static ulong? Value(string text) => text is "unlimited" or "infinity" ? ResourceLimit.Unlimited
            : ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : null;
    }

    /// <summary>A number of bytes as it would be written on the command line.</summary>
    public static string Size(long bytes)
    {
        int unit = 0;
        for (; unit < 4 && bytes % 1024 == 0 && bytes > 0; unit++)
            bytes /= 1024;
        return string.Create(CultureInfo.InvariantCulture, $"{bytes}{"KMGT".AsSpan(Math.Max(unit - 1, 0), Math.Min(unit, 1))}");
    }

    private static long Count(string text, string option) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long count)
        ? count : throw new UsageException($"option '{option}': expected a whole number, found '{text}'");

    private static decimal Decimal(string text) => decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
        ? number : throw new UsageException($"option '--cpus': expected a number such as 2 or 0.5, found '{text}'");

    private static DiskLimit Disk(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon <= 0)
            throw Wrong();
        FileStatus device = Files.Status(text[..colon], followLinks: true);
        if (device.Type != FileStatus.S_IFBLK)
            throw new UsageException($"option '--io-max': {text[..colon]} is no block device");
        DiskLimit limit = new(device.RdevMajor, device.RdevMinor);
        foreach (string pair in text[(colon + 1)..].Split(','))
        {
            limit = pair.Split('=') switch
            {
                ["rbps", var value] => limit with { ReadBytes = Quantity.Bytes(value, "--io-max") },
                ["wbps", var value] => limit with { WriteBytes = Quantity.Bytes(value, "--io-max") },
                ["riops", var value] => limit with { Reads = Count(value, "--io-max") },
                ["wiops", var value] => limit with { Writes = Count(value, "--io-max") },
                _ => throw Wrong(),
            };
        }
        return limit;

        UsageException Wrong() => new($"option '--io-max': expected DEV:KEY=N with the keys rbps, wbps, riops and wiops, such as /dev/sda:wbps=10M, found '{text}'");
    }

    private static int Score(string text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int score)
        ? score : throw new UsageException($"option '--oom-score-adj': expected a number between -1000 and 1000, found '{text}'");

    private static uint Mode(string text) => text.Length is > 0 and <= 4 && text.All(c => c is >= '0' and <= '7') && Convert.ToUInt32(text, 8) is <= 0x1FF /* 0777 */ and var mode
        ? mode : throw new UsageException($"option '--umask': expected an octal mode such as 0027, found '{text}'");

    private static SafeFileHandle Descriptor(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 2
            ? CurrentProcess.InheritedDescriptor(number) ?? throw new UsageException($"option '--forward-fd': you have no descriptor {number} open")
            : throw new UsageException($"option '--forward-fd': expected the numbers of open descriptors above 2, such as 3,4, found '{text}'");
}
