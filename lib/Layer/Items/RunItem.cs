using Layerbox.Nspawn;
using Layerbox.Rootfs;

namespace Layerbox.Layer;

/// <summary>
/// run: one command in a container of the layer itself, without network, with pinned inputs bound read-only below /run/inputs. What it
/// changes is kept. Runs go one after the other as they stand in the specification, before all other items but removals.
/// </summary>
internal sealed class RunItem : Item
{
    private readonly IReadOnlyList<string> _command;
    private readonly SortedDictionary<string, string> _environment;
    private readonly SortedDictionary<string, FileInput> _inputs = new(StringComparer.Ordinal);
    private readonly string _user, _workingDir;

    private RunItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        _command = spec.Texts("command");
        if (_command.Count == 0 || _command[0].Length == 0)
            throw spec.Error("member 'command' is empty");
        if (_command.Any(word => word.Contains('\0', StringComparison.Ordinal)))
            throw spec.Error("member 'command': a word holds a NUL");
        _environment = EnvironmentMembers.Parse(spec) ?? new SortedDictionary<string, string>(StringComparer.Ordinal);
        _user = spec.OptionalUserAndGroup("user") ?? "root";
        _workingDir = spec.OptionalPath("working_dir")?.ToString() ?? "/";
        foreach ((string name, string source) in spec.OptionalTextMap("inputs") ?? [])
        {
            if (name.Length == 0 || name[0] == '.' || name.AsSpan().ContainsAny('/', '\0') || System.Text.Encoding.UTF8.GetByteCount(name) > FileTree.FileName.MaxLength)
                throw spec.Error($"member 'inputs': '{name}' is no name for a file below {InputsFolder}");
            _inputs[name] = context.Sources.File(source, spec.Place);
        }
    }

    /// <summary>In a filesystem of the container's own memory, so it leaves nothing in the image.</summary>
    public const string InputsFolder = "/run/inputs";

    public static Item Parse(SpecObject spec, SpecContext context) => new RunItem(spec, context);

    public override Phase Phase => Phase.Run;
    public override string Label => $"run {_command[0]}";
    public override string Text => TextOf("run", ("command", string.Join('\0', _command)), ("env", string.Join('\0', _environment.Select(e => $"{e.Key}={e.Value}"))),
        ("user", _user), ("working_dir", _workingDir), ("inputs", string.Join('\0', _inputs.Select(i => $"{i.Key} {i.Value.Digest}"))));
    public override IEnumerable<Input> Inputs => _inputs.Values;

    public override void Apply(LayerDraft draft) => throw new InvalidOperationException("run items have a phase of their own");

    /// <summary>The container for this command. Its environment has nothing of the host's and nothing that changes.</summary>
    /// <param name="root">The layer's subvolume.</param>
    /// <param name="inputs">The folder with the copies of the inputs.</param>
    /// <param name="draft">For the layer's time.</param>
    public ContainerSpec Container(string root, string inputs, LayerDraft draft)
    {
        ContainerUser user = ContainerUser.Find(root, _user);
        SortedDictionary<string, string> environment = new(StringComparer.Ordinal)
        {
            ["PATH"] = ContainerSpec.DefaultPath,
            ["HOME"] = user.Home,
            ["LC_ALL"] = "C.UTF-8",
            ["TZ"] = "UTC",
            ["SOURCE_DATE_EPOCH"] = draft.Epoch.Seconds.ToString(System.Globalization.CultureInfo.InvariantCulture),
            ["container"] = "layerbox",
        };
        foreach ((string name, string value) in _environment)
            environment[name] = value;
        return new ContainerSpec(root, _command)
        {
            Environment = [.. environment.Select(e => $"{e.Key}={e.Value}")],
            User = user,
            WorkingDirectory = _workingDir,
            SuppressSync = true, // the layer is synced as a whole, and thrown away when that cannot be
            Binds = [.. _inputs.Keys.Select(name => new ContainerBind(Path.Combine(inputs, name), $"{InputsFolder}/{name}", ReadOnly: true))],
        };
    }

    /// <summary>
    /// Copies the inputs into an empty folder. The command must not see the host's files themselves: their modes, owners and times are in no
    /// digest, and they may change while it runs.
    /// </summary>
    public void CopyInputs(string folder, FileTree.Timestamp time)
    {
        FileTree.Tree tree = new(FileTree.Inode.Directory(InodeMode.Directory).Owned(0, 0, time));
        foreach ((string name, FileInput input) in _inputs)
            tree.Root.Add(new FileTree.FileName(name), input.Plain(time));
        RootfsWriter.Apply(folder, LayerSeal.EmptySubvolume(), tree);
    }
}
