namespace Layerbox.Nspawn;

/// <summary>
/// What a container may use of the machine, all its processes together (cgroups(7)). Null: no limit. A limit that the machine cannot keep is an error.
/// </summary>
public sealed record ContainerLimits
{
    private const int ProcessorsMax = 100_000;

    public static ContainerLimits None { get; } = new();

    /// <summary>Bytes of memory, files' pages included. What needs more is killed.</summary>
    public long? Memory { get; init; }

    /// <summary>Bytes of swap besides. Only together with <see cref="Memory"/>.</summary>
    public long? Swap { get; init; }

    /// <summary>Processes and threads, process 1 of the container included.</summary>
    public long? Processes { get; init; }

    /// <summary>Processors' worth of time: 1.5 is one and a half.</summary>
    public decimal? Processors { get; init; }

    /// <summary>Which processors, as the kernel writes lists: "0-2,5".</summary>
    public string? ProcessorSet { get; init; }

    /// <summary>Share of the disks' time against others: 1 to 10000, usually 100.</summary>
    public int? DiskWeight { get; init; }

    public IReadOnlyList<DiskLimit> Disks { get; init; } = [];

    public bool IsNone => this is { Memory: null, Swap: null, Processes: null, Processors: null, ProcessorSet: null, DiskWeight: null, Disks: [] };

    /// <exception cref="ContainerException">Something in here cannot be meant.</exception>
    public void Validate()
    {
        if (Swap is not null && Memory is null)
            throw new ContainerException("a limit of swap needs one of memory");
        if (Memory is <= 0 || Swap is < 0 || Processes is <= 0 || Processors is <= 0)
            throw new ContainerException("a limit of memory, processes or processors has to be above zero");
        if (Processors > ProcessorsMax)
            throw new ContainerException($"a limit of processors is at most {ProcessorsMax}");
        // Version 1 counts both together.
        if (Swap > long.MaxValue - Memory)
            throw new ContainerException("the limits of memory and swap are too large together");
        // Which version 1 takes for no limit.
        if (Disks.Any(disk => disk is { ReadBytes: <= 0 } or { WriteBytes: <= 0 } or { Reads: <= 0 } or { Writes: <= 0 }))
            throw new ContainerException("a limit of a disk has to be above zero");
        if (DiskWeight is < 1 or > 10_000)
            throw new ContainerException($"{DiskWeight}: a weight of disk time is between 1 and 10000");
        if (ProcessorSet is { } set && !IsList(set))
            throw new ContainerException($"'{set}': not a list of processors such as 0-2,5");
    }

    private static bool IsList(string text) => text.Split(',').All(part => part.Split('-') is [var one] ? IsNumber(one) : part.Split('-') is [var first, var last] && IsNumber(first) && IsNumber(last));

    private static bool IsNumber(string text) => text.Length is > 0 and < 6 && text.All(char.IsAsciiDigit);
}

/// <summary>What a container may do with one disk in a second. Null: no limit.</summary>
/// <param name="Major">Number of the block device.</param>
/// <param name="Minor">Likewise.</param>
public sealed record DiskLimit(uint Major, uint Minor)
{
    public long? ReadBytes { get; init; }

    public long? WriteBytes { get; init; }

    public long? Reads { get; init; }

    public long? Writes { get; init; }
}
