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
    private readonly Option<string[]> _mask = new("--mask") { Description = "Hide what is here: a folder is seen empty, a file like /dev/null.", HelpName = "PATH" };
    private readonly Option<string[]> _device = new("--device") { Description = "Let the command use this device of the host.", HelpName = "PATH" };
    private readonly Option<string[]> _rlimit = new("--rlimit") { Description = "Limit each process, such as NOFILE=1024:4096 or CORE=0; unlimited is a value too. See setrlimit(2).", HelpName = "NAME=SOFT[:HARD]" };
    private readonly Option<string?> _oomScore = new("--oom-score-adj") { Description = "Have the command killed sooner (up to 1000) or later (down to -1000) when memory runs out.", HelpName = "N" };
    private readonly Option<string?> _umask = new("--umask") { Description = "The command's file mode creation mask in octal. Default: 0022.", HelpName = "MODE" };
    private readonly Option<string[]> _forward = new("--forward-fd") { Description = "Hand these open descriptors on, as 3, 4 and so on; LISTEN_FDS and LISTEN_PID say so inside.", HelpName = "N[,N]" };
    private readonly Option<string?> _killGrace = new("--kill-grace") { Description = "When the time of --timeout is up, send SIGTERM and kill only after this time.", HelpName = "TIME" };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_capability, _dropCapability, _mask, _device, _rlimit, _oomScore, _umask, _forward, _killGrace])
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
        return spec => spec with
        {
            Capabilities = Values(_capability),
            DroppedCapabilities = Values(_dropCapability),
            Masks = Values(_mask),
            Devices = Values(_device),
            ResourceLimits = limits,
            OutOfMemoryScore = score,
            Umask = umask,
            ForwardedDescriptors = descriptors,
            KillGrace = grace,
        };

        string[] Values(Option<string[]> option) => args.GetValue(option) ?? [];
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

    private static int Score(string text) => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int score)
        ? score : throw new UsageException($"option '--oom-score-adj': expected a number between -1000 and 1000, found '{text}'");

    private static uint Mode(string text) => text.Length is > 0 and <= 4 && text.All(c => c is >= '0' and <= '7')
        ? Convert.ToUInt32(text, 8) & 0x1FF /* 0777 */ : throw new UsageException($"option '--umask': expected an octal mode such as 0027, found '{text}'");

    private static SafeFileHandle Descriptor(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 2
            ? CurrentProcess.InheritedDescriptor(number) ?? throw new UsageException($"option '--forward-fd': you have no descriptor {number} open")
            : throw new UsageException($"option '--forward-fd': expected the numbers of open descriptors above 2, such as 3,4, found '{text}'");
}
