using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// systemd_unit: installs a unit file ("source"), enables it (a link in TARGET.wants), or masks it (a link to /dev/null that wins over
/// any unit file). It stands for the plain items that do this.
/// </summary>
internal sealed class SystemdUnitItem : Item
{
    private const string VendorFolder = "usr/lib/systemd/system", AdminFolder = "etc/systemd/system";
    private const string DefaultTarget = "multi-user.target";

    private readonly string _unit, _action, _target;
    private readonly FileInput? _source;

    private SystemdUnitItem(SpecObject spec, SpecContext context) : base(spec.Place)
    {
        string? source = spec.OptionalText("source");
        _unit = spec.OptionalText("unit") ?? (source is null ? throw spec.Error("member 'unit' is missing") : Path.GetFileName(source));
        CheckName(spec, _unit);
        _source = source is null ? null : context.Sources.File(source, spec.Place);
        _target = spec.OptionalText("target") ?? DefaultTarget;
        CheckName(spec, _target);
        bool enable = spec.Flag("enable", false), mask = spec.Flag("mask", false);
        if (mask && (enable || _source is not null))
            throw spec.Error("'mask' excludes 'enable' and 'source'");
        if (!mask && !enable && _source is null)
            throw spec.Error("nothing to do; give 'source', 'enable' or 'mask'");
        _action = mask ? "mask" : enable ? "enable" : "install";
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new SystemdUnitItem(spec, context);

    public override string Label => $"systemd_unit {_unit}";
    public override string Text => TextOf("systemd_unit", ("unit", _unit), ("action", _action), ("target", _target), ("source", _source?.Digest));
    public override IEnumerable<Input> Inputs => _source is null ? [] : [_source];

    public override IEnumerable<Item> Expand()
    {
        if (_source is not null)
            yield return new UnitFile(this);
        if (_action == "enable")
        {
            foreach (Item folder in EnsureDirsItem.Of(Place, TreePath.Parse($"{AdminFolder}/{_target}.wants")).Expand())
                yield return folder;
            yield return new EnabledLink(this);
        }
        if (_action == "mask")
        {
            foreach (Item folder in EnsureDirsItem.Of(Place, TreePath.Parse(AdminFolder)).Expand())
                yield return folder;
            yield return new MaskLink(this);
        }
    }

    public override void Apply(LayerDraft draft) => throw new InvalidOperationException("systemd_unit is expanded before it runs");

    private static void CheckName(SpecObject spec, string name)
    {
        if (name.Contains('/', StringComparison.Ordinal) || !name.Contains('.', StringComparison.Ordinal) || name[0] == '.')
            throw spec.Error($"'{name}' is no name of a unit, like \"web.service\"");
    }

    private abstract class UnitPart(SystemdUnitItem unit) : Item(unit.Place)
    {
        protected SystemdUnitItem Unit => unit;
        public override string Label => unit.Label;
        protected abstract TreePath Path { get; }
        public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.Directory(Path.Parent)];
    }

    private sealed class UnitFile(SystemdUnitItem unit) : UnitPart(unit)
    {
        protected override TreePath Path => TreePath.Parse($"{VendorFolder}/{Unit._unit}");
        public override string Text => TextOf("systemd_unit_file", ("unit", Unit._unit), ("source", Unit._source!.Digest));
        public override IEnumerable<Input> Inputs => [Unit._source!];
        public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.File(Path)];

        public override void Apply(LayerDraft draft)
        {
            Inode source = Unit._source!.Root;
            if (source.Kind != FileKind.File)
                throw Error($"source '{Unit._source.Name}' is a {InstallItem.Kind(source)}; a unit is a regular file");
            draft.Add(this, Path, Inode.File(0x1A4 /* 0644 */, source.Content!).Owned(0, 0, draft.Epoch));
        }
    }

    private sealed class EnabledLink(SystemdUnitItem unit) : UnitPart(unit)
    {
        protected override TreePath Path => TreePath.Parse($"{AdminFolder}/{Unit._target}.wants/{Unit._unit}");
        public override string Text => TextOf("systemd_unit_enabled", ("unit", Unit._unit), ("target", Unit._target));
        public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.Symlink(Path, Target)];

        public override IEnumerable<Requirement> Requires(LayerDraft draft) =>
            base.Requires(draft).Append(new Requirement(Key.OfPath(TreePath.Parse($"{VendorFolder}/{TemplateOf(Unit._unit)}")), Need.File, Ordered: false));

        public override void Apply(LayerDraft draft) => draft.Add(this, Path, Inode.Symlink(Target).Owned(0, 0, draft.Epoch));

        private byte[] Target => Encoding.UTF8.GetBytes($"/{VendorFolder}/{TemplateOf(Unit._unit)}");

        // systemd.unit(5): "getty@tty1.service" is an instance of "getty@.service".
        private static string TemplateOf(string unit)
        {
            int at = unit.IndexOf('@', StringComparison.Ordinal), dot = unit.LastIndexOf('.');
            return at < 0 ? unit : unit[..(at + 1)] + unit[dot..];
        }
    }

    private sealed class MaskLink(SystemdUnitItem unit) : UnitPart(unit)
    {
        protected override TreePath Path => TreePath.Parse($"{AdminFolder}/{Unit._unit}");
        public override string Text => TextOf("systemd_unit_masked", ("unit", Unit._unit));
        public override IEnumerable<Provision> Provides(LayerDraft draft) => [Provision.Symlink(Path, "/dev/null"u8.ToArray())];
        public override void Apply(LayerDraft draft) => draft.Add(this, Path, Inode.Symlink("/dev/null"u8.ToArray()).Owned(0, 0, draft.Epoch));
    }
}
