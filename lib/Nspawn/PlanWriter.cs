using System.Globalization;
using System.Runtime.InteropServices;
using Layerbox.Nspawn.Boot;
using Layerbox.Posix;

namespace Layerbox.Nspawn;

/// <summary>A value that only exists once the plan runs: the result of an earlier step.</summary>
internal readonly record struct Register(byte Number);

/// <summary>An argument of a step: a number, the address of bytes in the plan, or a register.</summary>
internal readonly record struct StepArgument(long Value, StepArgument.Kind What)
{
    public enum Kind
    {
        Number,
        Address,
        Register,
    }

    public static implicit operator StepArgument(long value) => new(value, Kind.Number);

    public static implicit operator StepArgument(Register register) => new(register.Number, Kind.Register);
}

/// <summary>What a step is about, for the message when it fails: "path: call: reason".</summary>
internal readonly record struct StepLabel(string Call, string Path)
{
    /// <summary>What makes a group for limits, which plain users have to be given a place for.</summary>
    public const string MakeControlGroup = "make control group";

    /// <summary>What is mounted is a folder, or is none; null: that can be no reason.</summary>
    public bool? IsFolder { get; init; }

    // The kernel refuses a mount so only when one end is a folder and the other is not.
    public ContainerException Explain(Errno errno) => IsFolder is { } isFolder && errno is Errno.EINVAL or Errno.ENOTDIR
        ? new($"{Path}: {Call}: {(isFolder ? "a folder cannot be mounted over a file" : "a file cannot be mounted over a folder")}")
        : new(new PosixException(Call, errno, Path).Message
        + (Call == MakeControlGroup && errno is Errno.EACCES or Errno.EPERM
            ? ": limits need root, or a group of your own, as with: systemd-run --user --scope -p Delegate=yes"
            : ""));
}

/// <summary>
/// Puts a plan together as one block of bytes that can go through a pipe: all addresses are offsets in the block until
/// <see cref="LoadedPlan"/> adds where it lies.
/// </summary>
internal sealed unsafe class PlanWriter
{
    // Room for the usual plan.
    private readonly List<byte> _bytes = new(32 * 1024);
    private readonly List<int> _relocations = new(512);
    private readonly Dictionary<string, StepArgument> _texts = new(StringComparer.Ordinal);
    private readonly Stack<byte> _freeRegisters = new();
    private readonly List<(StepArgument Path, OuterMount Mount)> _outer = [];
    private StepArgument? _process1;
    private byte _registers;

    public PlanWriter() => Room(sizeof(KernelPlan));

    /// <summary>See <see cref="KernelPlan.IsInit"/>.</summary>
    public bool IsInit { get; set; }

    /// <summary>See <see cref="KernelPlan.CgroupTrees"/>.</summary>
    public IReadOnlyList<string> CgroupTrees { get; set; } = [];

    /// <summary>See <see cref="KernelPlan.FirstStep"/>.</summary>
    public int FirstStep { get; set; }

    /// <summary>The number of process 1 outside as text, for steps that are made there.</summary>
    public StepArgument Process1 => _process1 ??= Bytes(new byte[OuterSteps.NumberLength]);

    /// <summary>Bytes, and where they are.</summary>
    public StepArgument Bytes(ReadOnlySpan<byte> bytes)
    {
        int at = Align();
        bytes.CopyTo(Room(bytes.Length));
        return new StepArgument(at, StepArgument.Kind.Address);
    }

    public StepArgument Struct<T>(T value) where T : unmanaged => Bytes(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>A text in the encoding of <see cref="PathText"/> with a NUL behind it.</summary>
    /// <exception cref="ContainerException">It has a NUL inside.</exception>
    public StepArgument Text(string text)
    {
        if (_texts.TryGetValue(text, out StepArgument known))
            return known;
        byte[] bytes = PathText.ToBytes(text);
        if (bytes.AsSpan().Contains((byte)0))
            throw new ContainerException($"'{text}': holds a NUL byte");
        int at = Align();
        bytes.CopyTo(Room(bytes.Length + 1));
        return _texts[text] = new StepArgument(at, StepArgument.Kind.Address);
    }

    /// <summary>An array of addresses of texts that ends with null, as execve(2) wants it.</summary>
    public StepArgument Texts(IEnumerable<string> texts)
    {
        long[] addresses = [.. texts.Select(text => Text(text).Value)];
        StepArgument array = Bytes(MemoryMarshal.AsBytes((ReadOnlySpan<long>)[.. addresses, 0]));
        for (int i = 0; i < addresses.Length; i++)
            _relocations.Add((int)array.Value + (i * sizeof(long)));
        return array;
    }

    /// <summary>struct sock_fprog (linux/filter.h): a count of instructions and their address.</summary>
    public StepArgument Filter(ReadOnlySpan<ulong> instructions)
    {
        StepArgument code = Bytes(MemoryMarshal.AsBytes(instructions));
        StepArgument program = Bytes(MemoryMarshal.AsBytes((ReadOnlySpan<long>)[instructions.Length, code.Value]));
        _relocations.Add((int)program.Value + sizeof(long));
        return program;
    }

    /// <exception cref="ContainerException">The description asks for more than a plan can hold.</exception>
    public Register NewRegister()
    {
        if (_freeRegisters.TryPop(out byte free))
            return new Register(free);
        return FreshRegister();
    }

    private Register FreshRegister() => ++_registers != KernelStep.TargetRegister ? new Register(_registers) : throw TooManyBinds();

    /// <summary>Nothing that is planned from now on needs the value of this one any more.</summary>
    public void Free(Register register) => _freeRegisters.Push(register.Number);

    /// <summary>A copy of what is mounted on the host at a path, which is there from the start (see <see cref="OuterMounts"/>).</summary>
    /// <exception cref="ContainerException">The description asks for more than a plan can hold.</exception>
    public Register OpenOutside(string path, bool isRecursive, bool keepsOwners)
    {
        if (_outer.Count == OuterMounts.CountMax)
            throw TooManyBinds();
        // None that an earlier step uses: it is filled before all of them.
        Register register = FreshRegister();
        _outer.Add((Text(path), new OuterMount
        {
            Flags = MountCalls.OPEN_TREE_CLONE | (isRecursive ? MountCalls.AT_RECURSIVE : 0) | MountCalls.CloseOnExec,
            KeepsOwners = keepsOwners ? 1 : 0,
            Register = register.Number,
        }));
        return register;
    }

    private static ContainerException TooManyBinds() => new("too many binds for one container: bind a folder that holds them all");

    private StepArgument AppendOuter()
    {
        int at = Align();
        foreach ((StepArgument path, OuterMount mount) in _outer)
        {
            OuterMount outer = mount with { Path = (byte*)path.Value };
            _relocations.Add(_bytes.Count);
            MemoryMarshal.Write(Room(sizeof(OuterMount)), in outer);
        }
        return new StepArgument(at, StepArgument.Kind.Address);
    }

    /// <summary>The whole block; nothing can be added afterwards.</summary>
    /// <param name="cloneFlags">Of clone3(2).</param>
    /// <param name="setup">What process 1 does.</param>
    /// <param name="enter">What the command's process does.</param>
    /// <param name="command">What it becomes.</param>
    /// <param name="users">Of a user namespace of its own; null: none.</param>
    /// <param name="outer">What whoever clones does for process 1; null: nothing.</param>
    public byte[] Finish(ulong cloneFlags, StepList setup, StepList enter, PlannedCommand command, UserNamespace? users = null, StepList? outer = null)
    {
        Complete(cloneFlags, setup, enter, command, users, outer);
        return Encode();
    }

    /// <summary>The same without the block, of which <see cref="Encode"/> and <see cref="Load"/> make what is wanted.</summary>
    public void Complete(ulong cloneFlags, StepList setup, StepList enter, PlannedCommand command, UserNamespace? users, StepList? outer)
    {
        StepArgument trees = Texts(CgroupTrees);
        KernelPlan plan = new()
        {
            IsInit = IsInit ? 1 : 0,
            CgroupTrees = (byte**)trees.Value,
            CloneFlags = cloneFlags,
            Setup = (KernelStep*)Append(setup),
            SetupCount = setup.Steps.Count,
            FirstStep = FirstStep + (outer?.Steps.Count ?? 0),
            OuterSteps = outer is null ? null : (KernelStep*)Append(outer),
            OuterStepCount = outer?.Steps.Count ?? 0,
            Process1 = (byte*)(_process1?.Value ?? 0),
            Enter = (KernelStep*)Append(enter),
            EnterCount = enter.Steps.Count,
            Programs = (byte**)Texts(command.Programs).Value,
            Arguments = (byte**)Texts(command.Arguments).Value,
            ListenPid = command.ForwardedCount > 0 ? (byte*)RoomForNumber(PlannedCommand.ListenPid).Value : null,
            Environment = (byte**)Texts(command.Environment).Value,
            ForwardedCount = command.ForwardedCount,
            IsHeld = command.IsHeld ? 1 : 0,
            UserMap = users is null ? null : (byte*)Text(string.Join('\n', users.Users)).Value,
            GroupMap = users is null ? null : (byte*)Text(string.Join('\n', users.Groups)).Value,
            MaySetGroups = users is { MaySetGroups: true } ? 1 : 0,
            Outer = (OuterMount*)AppendOuter().Value,
            OuterCount = _outer.Count,
            UserMapper = users?.UserMapper is { } userMapper ? (byte*)Text(userMapper).Value : null,
            GroupMapper = users?.GroupMapper is { } groupMapper ? (byte*)Text(groupMapper).Value : null,
        };
        MemoryMarshal.Write(CollectionsMarshal.AsSpan(_bytes), in plan);
        foreach (byte** pointer in (byte**[])[(byte**)&plan.Setup, (byte**)&plan.Enter, (byte**)&plan.Outer, (byte**)&plan.CgroupTrees, (byte**)&plan.Programs, (byte**)&plan.Arguments, (byte**)&plan.Environment])
            _relocations.Add((int)((byte*)pointer - (byte*)&plan));
        foreach (byte** pointer in (byte**[])[&plan.ListenPid, &plan.Process1, (byte**)&plan.OuterSteps, &plan.UserMap, &plan.GroupMap, &plan.UserMapper, &plan.GroupMapper])
        {
            if (*pointer != null)
                _relocations.Add((int)((byte*)pointer - (byte*)&plan));
        }
    }

    /// <summary>The completed plan as <see cref="LoadedPlan.Read"/> takes it.</summary>
    public byte[] Encode() => LoadedPlan.Encode(CollectionsMarshal.AsSpan(_bytes), _relocations);

    /// <summary>The completed plan, to be carried out by this process.</summary>
    public LoadedPlan Load() => LoadedPlan.Of(CollectionsMarshal.AsSpan(_bytes), CollectionsMarshal.AsSpan(_relocations));

    // A text that ends with a number which is only known when the plan runs; where that goes.
    private StepArgument RoomForNumber(string text)
    {
        const int DigitsMax = 10;
        byte[] bytes = PathText.ToBytes(text);
        StepArgument room = Bytes([.. bytes, .. new byte[DigitsMax + 1]]);
        _texts[text] = room;
        return room with { Value = room.Value + bytes.Length };
    }

    private long Append(StepList list)
    {
        int at = Align();
        foreach (PlannedStep planned in list.Steps)
        {
            KernelStep step = planned.ToKernel();
            int start = _bytes.Count;
            MemoryMarshal.Write(Room(sizeof(KernelStep)), in step);
            for (int i = 0; i < KernelStep.ArgumentCount; i++)
            {
                if ((planned.Addresses >> i & 1) != 0)
                    _relocations.Add(start + sizeof(KernelStep) - ((KernelStep.ArgumentCount - i) * sizeof(long)));
            }
        }
        return at;
    }

    private int Align()
    {
        Room(-_bytes.Count & (sizeof(long) - 1));
        return _bytes.Count;
    }

    // So many zero bytes more.
    private Span<byte> Room(int length)
    {
        CollectionsMarshal.SetCount(_bytes, _bytes.Count + length);
        Span<byte> room = CollectionsMarshal.AsSpan(_bytes)[^length..];
        room.Clear();
        return room;
    }
}

/// <summary>What is executed in the end.</summary>
/// <param name="Programs">Where the program may be, in order.</param>
/// <param name="Arguments">All of them, from the one that is called 0 on.</param>
/// <param name="Environment">The whole environment.</param>
/// <param name="ForwardedCount">How many descriptors it gets besides the standard streams.</param>
internal sealed record PlannedCommand(IEnumerable<string> Programs, IReadOnlyList<string> Arguments, IReadOnlyList<string> Environment, int ForwardedCount)
{
    /// <summary>See <see cref="KernelPlan.IsHeld"/>.</summary>
    public bool IsHeld { get; init; }

    /// <summary>Of sd_listen_fds(3): the number of the process that is meant.</summary>
    public const string ListenPid = "LISTEN_PID=";

    private const string ListenFds = "LISTEN_FDS=", PathVariable = "PATH=";

    public static PlannedCommand Of(ContainerSpec spec)
    {
        IReadOnlyList<string> environment = spec.Environment ?? ContainerSpec.DefaultEnvironment(spec.User);
        int count = spec.ForwardedDescriptors.Count;
        if (count > 0)
            environment = [.. environment.Where(v => !v.StartsWith(ListenFds, StringComparison.Ordinal) && !v.StartsWith(ListenPid, StringComparison.Ordinal)), string.Create(CultureInfo.InvariantCulture, $"{ListenFds}{count}"), ListenPid];
        return new PlannedCommand(spec.Boot is { Init: null } ? ContainerBoot.Inits : ProgramsOf(spec.Command[0], environment), spec.Command, environment, count) { IsHeld = spec.IsHeld };
    }

    // execvp(3), but on the command's own PATH.
    private static IEnumerable<string> ProgramsOf(string program, IReadOnlyList<string> environment)
    {
        if (program.Contains('/'))
            return [program];
        string path = environment.LastOrDefault(v => v.StartsWith(PathVariable, StringComparison.Ordinal))?[PathVariable.Length..] ?? ContainerSpec.DefaultPath;
        return path.Split(':').Select(folder => folder.Length == 0 ? $"./{program}" : $"{folder}/{program}");
    }
}

/// <summary>A step as it is written, before its arguments have addresses.</summary>
internal sealed unsafe record PlannedStep
{
    // As the kernel gets it but for the addresses: a start makes some two hundred of these.
    private KernelStep _step;

    public PlannedStep(StepLabel label, int call, params ReadOnlySpan<StepArgument> arguments)
    {
        (Label, _step.Call) = (label, call);
        for (int i = 0; i < arguments.Length; i++)
        {
            _step.Arguments[i] = arguments[i].Value;
            if (arguments[i].What == StepArgument.Kind.Register)
                _step.FromRegister |= 1ul << i;
            else if (arguments[i].What == StepArgument.Kind.Address)
                Addresses |= 1u << i;
        }
    }

    public StepLabel Label { get; }

    /// <summary>Bit N: argument N is the address of bytes in the plan.</summary>
    public uint Addresses { get; }

    public Register? Result
    {
        get => _step.Result == 0 ? null : new Register(_step.Result);
        init => _step.Result = value?.Number ?? 0;
    }

    /// <summary>An error that is as good as success, and how many steps are left out then.</summary>
    public Errno Tolerated
    {
        get => (Errno)_step.Tolerated;
        init => _step.Tolerated = (byte)value;
    }

    public int SkippedWhenTolerated
    {
        get => _step.SkippedWhenTolerated;
        set => _step.SkippedWhenTolerated = Count(value);
    }

    public int SkippedWhenDone
    {
        get => _step.SkippedWhenDone;
        set => _step.SkippedWhenDone = Count(value);
    }

    public KernelStep ToKernel() => _step;

    // Three for each folder on the way to a mount point.
    private static byte Count(int steps) =>
        steps <= byte.MaxValue ? (byte)steps : throw new ContainerException("a mount point lies below too many folders");
}

/// <summary>Steps in the order in which they are made.</summary>
internal sealed class StepList(PlanWriter plan)
{
    public List<PlannedStep> Steps { get; } = [];

    public PlanWriter Plan => plan;

    // By the register that they are in at the moment.
    private readonly Dictionary<byte, KnownMount> _filesystems = [];
    private readonly List<(string Destination, KnownMount Filesystem)> _mounts = [];

    /// <summary>What is mounted by the steps, in order.</summary>
    public IReadOnlyList<PlannedMount> Mounts => [.. _mounts.Select(m => new PlannedMount(m.Destination, m.Filesystem.Type, m.Filesystem.Source,
        [.. MountCalls.Names(m.Filesystem.Attributes), .. m.Filesystem.Options.Select(o => o.Value is null ? o.Key : $"{o.Key}={o.Value}")]))];

    /// <summary>Remembers what a descriptor of a mount means, for <see cref="Mounts"/>.</summary>
    public void Know(Register filesystem, string type, string? source, int attributes, params ReadOnlySpan<(string Key, string? Value)> options) =>
        _filesystems[filesystem.Number] = new KnownMount(type, source, options.ToArray()) { Attributes = attributes };

    /// <summary>The mount has further attributes.</summary>
    public void KnowAttributes(Register filesystem, int attributes)
    {
        if (_filesystems.TryGetValue(filesystem.Number, out KnownMount? known))
            known.Attributes |= attributes;
    }

    public void KnowMounted(string destination, Register filesystem)
    {
        if (_filesystems.TryGetValue(filesystem.Number, out KnownMount? known))
            _mounts.Add((destination, known));
    }

    /// <summary>The register is another's from now on.</summary>
    public void Forget(Register filesystem) => _filesystems.Remove(filesystem.Number);

    public PlannedStep Do(StepLabel label, int call, params ReadOnlySpan<StepArgument> arguments) => Add(new PlannedStep(label, call, arguments));

    /// <summary>Also when the call fails with one particular error.</summary>
    public PlannedStep Try(StepLabel label, Errno tolerated, int call, params ReadOnlySpan<StepArgument> arguments) =>
        Add(new PlannedStep(label, call, arguments) { Tolerated = tolerated });

    /// <summary>Sends a report with a copy of a descriptor to the tool outside.</summary>
    public PlannedStep Tell(StepLabel label, InitReport.Kind what, StepArgument descriptor) => Do(label, KernelStep.Tell, (long)what, descriptor);

    /// <summary>Keeps the result.</summary>
    public Register Get(StepLabel label, int call, params ReadOnlySpan<StepArgument> arguments)
    {
        Register result = plan.NewRegister();
        Add(new PlannedStep(label, call, arguments) { Result = result });
        return result;
    }

    public PlannedStep Add(PlannedStep step)
    {
        Steps.Add(step);
        return step;
    }

    private sealed class KnownMount(string type, string? source, (string Key, string? Value)[] options)
    {
        public string Type => type;

        public string? Source => source;

        public (string Key, string? Value)[] Options => options;

        public int Attributes { get; set; }
    }
}

/// <summary>A plan in memory that never moves and that the garbage collector does not know, as long as this is not disposed.</summary>
internal sealed unsafe class LoadedPlan : IDisposable
{
    private readonly byte* _memory;

    private LoadedPlan(byte* memory, ReadOnlySpan<int> relocations)
    {
        _memory = memory;
        foreach (int at in relocations)
            *(long*)(memory + at) += (long)memory;
    }

    public KernelPlan* Plan => (KernelPlan*)_memory;

    // u32 bytes of the block; u32 count of relocations; the relocations, u32 each; the block. All as this machine has them: the other side of the pipe is on it too.
    public static byte[] Encode(ReadOnlySpan<byte> block, List<int> relocations)
    {
        int head = sizeof(int) * (2 + relocations.Count);
        byte[] encoded = new byte[head + block.Length];
        Span<int> numbers = MemoryMarshal.Cast<byte, int>(encoded.AsSpan(0, head));
        (numbers[0], numbers[1]) = (block.Length, relocations.Count);
        CollectionsMarshal.AsSpan(relocations).CopyTo(numbers[2..]);
        block.CopyTo(encoded.AsSpan(head));
        return encoded;
    }

    /// <summary>A copy of a block with all addresses in it.</summary>
    public static LoadedPlan Of(ReadOnlySpan<byte> block, ReadOnlySpan<int> relocations)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)block.Length, sizeof(long));
        block.CopyTo(new Span<byte>(memory, block.Length));
        return new LoadedPlan(memory, relocations);
    }

    /// <summary>Reads a plan and not a byte more; null when the stream ends before that.</summary>
    public static LoadedPlan? Read(Stream stream)
    {
        byte[] head = new byte[2 * sizeof(int)];
        if (stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length)
            return null;
        int length = MemoryMarshal.Read<int>(head), count = MemoryMarshal.Read<int>(head.AsSpan(sizeof(int)));
        int[] relocations = new int[count];
        Span<byte> bytes = MemoryMarshal.AsBytes(relocations.AsSpan());
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)length, sizeof(long));
        if (stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) < bytes.Length
            || stream.ReadAtLeast(new Span<byte>(memory, length), length, throwOnEndOfStream: false) < length)
        {
            NativeMemory.AlignedFree(memory);
            return null;
        }
        return new LoadedPlan(memory, relocations);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
