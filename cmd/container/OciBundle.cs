using System.Globalization;
using System.Text.Json;
using Layerbox.Nspawn;
using Layerbox.Posix;

namespace Layerbox.Cmd.Containers;

/// <summary>
/// The config.json of an OCI runtime bundle (opencontainers/runtime-spec, config.md, config-linux.md) as the description of a container. What cannot be
/// carried out is refused by the name of its member; what may be left out without any harm is listed in docs/containers.md.
/// </summary>
internal sealed class OciBundle
{
    public const string FileName = "config.json";

    private const int SizeMax = 16 << 20;

    // What an engine always mounts. Their options are the engine's.
    private static readonly (string Destination, string Type)[] OfEngine =
    [
        ("/proc", "proc"), ("/dev", "tmpfs"), ("/dev/pts", "devpts"), ("/dev/shm", "tmpfs"), ("/dev/mqueue", "mqueue"), ("/sys", "sysfs"),
        ("/sys/fs/cgroup", "cgroup"), ("/sys/fs/cgroup", "cgroup2"), ("/run", "tmpfs"), ("/tmp", "tmpfs"),
    ];

    // Those that say what an engine does anyway, and those of access times.
    private static readonly string[] HarmlessOptions =
        ["rw", "nodev", "private", "rprivate", "slave", "rslave", "relatime", "norelatime", "strictatime", "nostrictatime", "noatime", "atime", "nodiratime", "diratime", "suid", "exec", "sync", "async"];

    private readonly string _folder;

    private OciBundle(string folder) => _folder = folder;

    /// <summary>Reads the bundle. Its root is not looked at.</summary>
    /// <param name="folder">Where it is.</param>
    /// <param name="hasTerminal">The command is to have a terminal.</param>
    /// <exception cref="ContainerException">It asks for something that cannot be had; the message names the member.</exception>
    /// <exception cref="InvalidDataException">It is no such file.</exception>
    public static ContainerSpec Read(string folder, out bool hasTerminal)
    {
        string path = Path.Combine(folder, FileName);
        byte[] text = WholeFile.Read(path, SizeMax);
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            OciMember config = new(document.RootElement, "", path);
            hasTerminal = config.Find("process")?.Find("terminal")?.Flag ?? false;
            return new OciBundle(folder).Read(config);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: is not JSON: {e.Message.TrimEnd('.')}");
        }
    }

    private ContainerSpec Read(OciMember config)
    {
        config.Allow("ociVersion", "process", "root", "hostname", "mounts", "linux", "annotations");
        if (config.Need("ociVersion") is var version && !version.Text.StartsWith("1.", StringComparison.Ordinal))
            throw version.Refuse("only version 1 is known");
        OciMember root = config.Need("root").Allow("path", "readonly"), process = config.Need("process");
        ContainerSpec spec = new(Beside(root.Need("path").Text), [.. process.Need("args").Items.Select(item => item.Text)])
        {
            ReadOnly = root.Find("readonly")?.Flag ?? false,
            HostName = config.Find("hostname")?.Text is { Length: > 0 } name ? name : ContainerSpec.DefaultHostName,
        };
        spec = Process(process, spec);
        foreach (OciMember mount in config.Find("mounts")?.Items ?? [])
            spec = Mount(mount, spec);
        return config.Find("linux") is { } linux ? Linux(linux, spec) : spec;
    }

    private static ContainerSpec Process(OciMember process, ContainerSpec spec)
    {
        process.Allow("args", "cwd", "env", "user", "terminal", "consoleSize", "capabilities", "rlimits", "noNewPrivileges", "oomScoreAdj", "?apparmorProfile", "?selinuxLabel");
        OciMember? user = process.Find("user")?.Allow("uid", "gid", "additionalGids", "umask");
        ContainerUser found = new((uint)(user?.Find("uid")?.Number ?? 0), (uint)(user?.Find("gid")?.Number ?? 0), [.. user?.Find("additionalGids")?.Items.Select(item => (uint)item.Number) ?? []], "/");
        return spec with
        {
            WorkingDirectory = process.Need("cwd").Text,
            Environment = [.. process.Find("env")?.Items.Select(item => item.Text) ?? []],
            User = found,
            Umask = user?.Find("umask") is { } umask ? (uint)umask.Number & 0x1FF : null,
            NoNewPrivileges = process.Find("noNewPrivileges")?.Flag ?? false,
            OutOfMemoryScore = (int?)process.Find("oomScoreAdj")?.Number,
            DroppedCapabilities = [ContainerCapabilities.All],
            Capabilities = Capabilities(process.Find("capabilities"), found, out string[] ambient),
            AmbientCapabilities = ambient,
            ResourceLimits = [.. process.Find("rlimits")?.Items.Select(Limit) ?? []],
        };
    }

    // Root has the bounding set in all others too, and anybody else the ambient one: a program that is executed gets no other ones.
    private static string[] Capabilities(OciMember? capabilities, ContainerUser user, out string[] ambient)
    {
        ambient = [];
        if (capabilities is null)
            return [];
        capabilities.Allow("bounding", "effective", "permitted", "inheritable", "ambient");
        string[] bounding = Names("bounding");
        foreach (string set in (string[])["effective", "permitted"])
        {
            if (user.Uid == 0 && capabilities.Find(set) is { } other && !Names(set).ToHashSet().SetEquals(bounding))
                throw other.Refuse("root has exactly those of 'bounding'");
        }
        if (user.Uid == 0)
            return bounding;
        ambient = Names("ambient");
        // capabilities(7): it can be ambient only if it is in the others.
        foreach (string set in (string[])["bounding", "permitted", "inheritable"])
        {
            if (ambient.Except(Names(set)).FirstOrDefault() is { } missing)
                throw capabilities.Need("ambient").Refuse($"{missing} is not in '{set}'");
        }
        return bounding;

        string[] Names(string set) => [.. capabilities.Find(set)?.Items.Select(item => item.Text) ?? []];
    }

    private static ResourceLimit Limit(OciMember limit)
    {
        limit.Allow("type", "soft", "hard");
        OciMember type = limit.Need("type");
        return new ResourceLimit(ResourceLimit.NameOf(type.Text) ?? throw type.Refuse($"there is no limit '{type.Text}'"), limit.Need("soft").Unsigned, limit.Need("hard").Unsigned);
    }

    private ContainerSpec Mount(OciMember mount, ContainerSpec spec)
    {
        mount.Allow("destination", "type", "source", "options", "?uidMappings", "?gidMappings");
        string destination = mount.Need("destination").Text, type = mount.Find("type")?.Text ?? "";
        OciMember[] options = [.. mount.Find("options")?.Items ?? []];
        bool isRecursive = options.Any(option => option.Text == "rbind");
        if (isRecursive || type == "bind" || options.Any(option => option.Text == "bind"))
        {
            foreach (OciMember option in options.Where(option => option.Text is not ("bind" or "rbind" or "ro") && !HarmlessOptions.Contains(option.Text)))
                throw option.Refuse($"no bind has the option '{option.Text}'");
            return spec with { Binds = [.. spec.Binds, new ContainerBind(Beside(mount.Need("source").Text), destination, options.Any(option => option.Text == "ro")) { IsRecursive = isRecursive }] };
        }
        if (OfEngine.Contains((destination, type)))
            return spec;
        if (type != "tmpfs")
            throw mount.Refuse($"a filesystem '{type}' cannot be mounted at {destination}");
        foreach (OciMember option in options.Where(option => option.Text is not ("nosuid" or "mode=755" or "mode=0755") && !HarmlessOptions.Contains(option.Text)))
            throw option.Refuse($"no tmpfs has the option '{option.Text}'");
        return spec with { Tmpfs = [.. spec.Tmpfs, destination] };
    }

    private static ContainerSpec Linux(OciMember linux, ContainerSpec spec)
    {
        linux.Allow("namespaces", "maskedPaths", "readonlyPaths", "resources", "devices", "cgroupsPath", "rootfsPropagation", "?sysctl", "?uidMappings", "?gidMappings", "?mountLabel", "?timeOffsets", "?netDevices");
        if (linux.Find("rootfsPropagation") is { } propagation && propagation.Text is not ("" or "private" or "rprivate" or "slave" or "rslave"))
            throw propagation.Refuse("no mount inside reaches the host");
        return spec with
        {
            Network = Network(linux),
            Masks = [.. linux.Find("maskedPaths")?.Items.Select(item => item.Text) ?? []],
            ReadOnlyPaths = [.. linux.Find("readonlyPaths")?.Items.Select(item => item.Text) ?? []],
            Devices = [.. linux.Find("devices")?.Items.Select(Device) ?? []],
            Limits = linux.Find("resources") is { } resources ? OciResources.Read(resources) : ContainerLimits.None,
        };
    }

    private static ContainerNetwork Network(OciMember linux)
    {
        HashSet<string> own = [];
        foreach (OciMember item in linux.Need("namespaces").Items)
        {
            item.Allow("type", "?path");
            OciMember type = item.Need("type");
            if (type.Text is not ("pid" or "mount" or "ipc" or "uts" or "cgroup" or "network"))
                throw type.Refuse($"no container has a namespace '{type.Text}' of its own");
            own.Add(type.Text);
        }
        // One of control groups only hides.
        foreach (string needed in (string[])["pid", "mount", "ipc", "uts"])
        {
            if (!own.Contains(needed))
                throw linux.Need("namespaces").Refuse($"'{needed}' is missing, which every container has of its own");
        }
        return own.Contains("network") ? ContainerNetwork.None : ContainerNetwork.Host;
    }

    // The host's node of that name, if it is the same device.
    private static string Device(OciMember device)
    {
        device.Allow("path", "type", "major", "minor", "fileMode", "uid", "gid");
        string path = device.Need("path").Text;
        FileStatus node = Files.Status(path, followLinks: true);
        bool isBlock = device.Need("type") is var type && type.Text switch { "b" => true, "c" or "u" => false, _ => throw type.Refuse("only block and character devices are known") };
        if ((node.Type, node.RdevMajor, node.RdevMinor) != (isBlock ? FileStatus.S_IFBLK : FileStatus.S_IFCHR, (uint)device.Need("major").Number, (uint)device.Need("minor").Number))
            throw device.Refuse($"the host's {path} is another device, and only the host's nodes can be given");
        foreach ((string name, long value) in ((string, long)[])[("fileMode", node.Mode), ("uid", node.Uid), ("gid", node.Gid)])
        {
            if (device.Find(name) is { } wanted && wanted.Number != value)
                throw wanted.Refuse(string.Create(CultureInfo.InvariantCulture, $"the node is the host's, where this is {value}"));
        }
        return path;
    }

    private string Beside(string path) => Path.Combine(_folder, path);
}
