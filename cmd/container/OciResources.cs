using Layerbox.Nspawn;

namespace Layerbox.Cmd.Containers;

/// <summary>The member linux.resources of a config.json (runtime-spec, config-linux.md, Control groups).</summary>
internal static class OciResources
{
    /// <exception cref="ContainerException">There is a limit that cannot be kept.</exception>
    public static ContainerLimits Read(OciMember resources)
    {
        // Rules of devices say what control groups let open. Here no device can be opened but those that are given, whatever they say.
        resources.Allow("devices", "memory", "pids", "cpu", "blockIO", "?unified", "?hugepageLimits", "?network", "?rdma");
        OciMember? memory = resources.Find("memory")?.Allow("limit", "swap"), cpu = resources.Find("cpu")?.Allow("quota", "period", "cpus", "?mems");
        OciMember? disk = resources.Find("blockIO")?.Allow("weight", "throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice", "?weightDevice");
        long? limit = Limited(memory?.Find("limit"));
        return new ContainerLimits
        {
            Memory = limit,
            Swap = Swap(memory?.Find("swap"), limit),
            Processes = Limited(resources.Find("pids")?.Allow("limit").Find("limit")),
            Processors = Processors(cpu),
            ProcessorSet = cpu?.Find("cpus")?.Text is { Length: > 0 } set ? set : null,
            DiskWeight = (int?)disk?.Find("weight")?.Number,
            Disks = Disks(disk),
        };
    }

    // Zero and less: no limit.
    private static long? Limited(OciMember? member) => member?.Number is > 0 and var limit ? limit : null;

    // Both together, as version 1 has it.
    private static long? Swap(OciMember? swap, long? memory)
    {
        if (Limited(swap) is not { } both)
            return null;
        return memory is { } limit && both >= limit ? both - limit : throw swap!.Refuse("counts memory too, so it is not less than memory.limit");
    }

    private static decimal? Processors(OciMember? cpu)
    {
        const decimal UsualPeriod = 100_000;
        return Limited(cpu?.Find("quota")) is { } quota ? quota / (Limited(cpu!.Find("period")) ?? UsualPeriod) : null;
    }

    private static IReadOnlyList<DiskLimit> Disks(OciMember? disk)
    {
        SortedDictionary<(long, long), DiskLimit> limits = [];
        Add("throttleReadBpsDevice", (limit, rate) => limit with { ReadBytes = rate });
        Add("throttleWriteBpsDevice", (limit, rate) => limit with { WriteBytes = rate });
        Add("throttleReadIOPSDevice", (limit, rate) => limit with { Reads = rate });
        Add("throttleWriteIOPSDevice", (limit, rate) => limit with { Writes = rate });
        return [.. limits.Values];

        void Add(string name, Func<DiskLimit, long?, DiskLimit> with)
        {
            foreach (OciMember item in disk?.Find(name)?.Items ?? [])
            {
                (long major, long minor) = (item.Allow("major", "minor", "rate").Need("major").Number, item.Need("minor").Number);
                limits[(major, minor)] = with(limits.GetValueOrDefault((major, minor)) ?? new DiskLimit((uint)major, (uint)minor), Limited(item.Need("rate")));
            }
        }
    }
}
