using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>user_add: a line in the image's own /etc/passwd (and a locked one in /etc/shadow where the image has it). The home directory is somebody else's item.</summary>
internal sealed class UserAddItem : Item
{
    // login.defs of Debian and Fedora: system accounts from 100 on, people from 1000 on.
    private const uint FirstSystemId = 100, FirstUserId = 1000, LastUserId = 60000;

    private readonly string _name, _group, _comment;
    private readonly TreePath _home, _shell;
    private readonly uint? _uid;
    private readonly bool _system;
    private readonly IReadOnlyList<string> _extraGroups;

    private UserAddItem(SpecObject spec) : base(spec.Place)
    {
        _name = AccountName.Parse(spec, "name");
        _uid = (uint?)spec.OptionalNumber("uid", 0, uint.MaxValue - 1);
        _group = spec.OptionalOwner("group") ?? _name;
        _extraGroups = spec.OptionalTexts("groups") ?? [];
        _comment = FieldOf(Encoding.UTF8.GetBytes(spec.OptionalText("comment") ?? ""));
        CheckField(spec, "comment", _comment);
        _home = spec.OptionalPath("home") ?? TreePath.Parse($"home/{_name}");
        _shell = spec.OptionalPath("shell") ?? TreePath.Parse("usr/sbin/nologin");
        CheckField(spec, "home", FieldOf(_home));
        CheckField(spec, "shell", FieldOf(_shell));
        _system = spec.Flag("system", false);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new UserAddItem(spec);

    public override string Label => $"user_add {_name}";
    public override string Text => TextOf("user_add", ("name", _name), ("uid", _uid?.ToString(CultureInfo.InvariantCulture)), ("group", _group), ("groups", string.Join(',', _extraGroups)),
        ("comment", _comment), ("home", _home.ToString()), ("shell", _shell.ToString()), ("system", _system ? "true" : null));

    public override IEnumerable<Provision> Provides(LayerDraft draft) => [new Provision(Key.OfUser(_name), ProvidedKind.User)];

    public override IEnumerable<Requirement> Requires(LayerDraft draft)
    {
        yield return Requirement.File(Accounts.PasswdPath);
        yield return Requirement.File(Accounts.GroupPath);
        if (!Accounts.TryNumber(_group, out _))
            yield return new Requirement(Key.OfGroup(_group));
        foreach (string group in _extraGroups)
            yield return new Requirement(Key.OfGroup(group));
        // Only at the end: the home may be owned by this very user, and the shell come with it.
        yield return new Requirement(Key.OfPath(_home), Need.Directory, Ordered: false);
        yield return new Requirement(Key.OfPath(_shell), Need.Executable, Ordered: false);
    }

    public override void Prepare(LayerDraft draft)
    {
        if (_uid is { } uid)
            draft.WantedUids.Add(uid);
    }

    public override void Apply(LayerDraft draft)
    {
        Accounts accounts = draft.Accounts;
        uint uid = _uid ?? AccountName.FreeId(accounts.Users.Select(u => u.Uid).Concat(draft.WantedUids), _system ? FirstSystemId : FirstUserId, _system ? FirstUserId - 1 : LastUserId) ?? throw Error("no uid is free");
        if (accounts.Users.FirstOrDefault(u => u.Uid == uid) is { } other)
            throw Error($"uid {uid} is taken by '{other.Name}'");
        uint gid = draft.Gid(this, _group);
        AccountFile.AddLine(draft, this, Accounts.PasswdPath, string.Create(CultureInfo.InvariantCulture, $"{_name}:x:{uid}:{gid}:{_comment}:{FieldOf(_home)}:{FieldOf(_shell)}"));
        if (draft.Follow(this, AccountFile.ShadowPath) is not null)
            AccountFile.AddLine(draft, this, AccountFile.ShadowPath, $"{_name}:!:0:0:99999:7:::"); // day 0: no clock may leak in
        foreach (string group in _extraGroups.Distinct())
        {
            AccountFile.AddMember(draft, this, Accounts.GroupPath, group, _name);
            if (draft.Follow(this, AccountFile.GshadowPath) is not null && AccountFile.HasLine(draft, AccountFile.GshadowPath, group))
                AccountFile.AddMember(draft, this, AccountFile.GshadowPath, group, _name);
        }
    }

    // The account files are changed as Latin-1, a character a byte.
    private static string FieldOf(byte[] bytes) => Encoding.Latin1.GetString(bytes);

    private static string FieldOf(TreePath path) => "/" + FieldOf(path.ToBytes());

    private static void CheckField(SpecObject spec, string member, string text)
    {
        if (text.AsSpan().ContainsAny(':', '\n'))
            throw spec.Error($"member '{member}' may hold no colon and no newline");
    }
}

/// <summary>group_add: a line in the image's own /etc/group.</summary>
internal sealed class GroupAddItem : Item
{
    private const uint FirstSystemId = 100, FirstGroupId = 1000, LastGroupId = 60000;

    private readonly string _name;
    private readonly uint? _gid;
    private readonly bool _system;

    private GroupAddItem(SpecObject spec) : base(spec.Place)
    {
        _name = AccountName.Parse(spec, "name");
        _gid = (uint?)spec.OptionalNumber("gid", 0, uint.MaxValue - 1);
        _system = spec.Flag("system", false);
    }

    public static Item Parse(SpecObject spec, SpecContext context) => new GroupAddItem(spec);

    public override string Label => $"group_add {_name}";
    public override string Text => TextOf("group_add", ("name", _name), ("gid", _gid?.ToString(CultureInfo.InvariantCulture)), ("system", _system ? "true" : null));
    public override IEnumerable<Provision> Provides(LayerDraft draft) => [new Provision(Key.OfGroup(_name), ProvidedKind.Group)];
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => [Requirement.File(Accounts.GroupPath)];

    public override void Prepare(LayerDraft draft)
    {
        if (_gid is { } gid)
            draft.WantedGids.Add(gid);
    }

    public override void Apply(LayerDraft draft)
    {
        Accounts accounts = draft.Accounts;
        uint gid = _gid ?? AccountName.FreeId(accounts.Groups.Select(g => g.Gid).Concat(draft.WantedGids), _system ? FirstSystemId : FirstGroupId, _system ? FirstGroupId - 1 : LastGroupId) ?? throw Error("no gid is free");
        if (accounts.Groups.FirstOrDefault(g => g.Gid == gid) is { } other)
            throw Error($"gid {gid} is taken by '{other.Name}'");
        AccountFile.AddLine(draft, this, Accounts.GroupPath, string.Create(CultureInfo.InvariantCulture, $"{_name}:x:{gid}:"));
        if (draft.Follow(this, AccountFile.GshadowPath) is not null)
            AccountFile.AddLine(draft, this, AccountFile.GshadowPath, $"{_name}:!::");
    }
}

/// <summary>Names and numbers of accounts.</summary>
internal static class AccountName
{
    /// <summary>As useradd(8) takes them: a small letter or underscore, then small letters, digits, underscores, dashes; 32 at most.</summary>
    public static string Parse(SpecObject spec, string member)
    {
        string name = spec.Text(member);
        bool good = name.Length is >= 1 and <= 32 && (char.IsAsciiLetterLower(name[0]) || name[0] == '_')
            && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '_' or '-');
        return good ? name : throw spec.Error($"member '{member}': '{name}' is no name for a user or group");
    }

    public static uint? FreeId(IEnumerable<uint> taken, uint first, uint last)
    {
        HashSet<uint> ids = [.. taken];
        for (uint id = first; id <= last; id++)
            if (!ids.Contains(id))
                return id;
        return null;
    }
}

/// <summary>Changes to the files of accounts in a draft, which keep all their other bytes.</summary>
internal static class AccountFile
{
    public static TreePath ShadowPath { get; } = TreePath.Parse("etc/shadow");
    public static TreePath GshadowPath { get; } = TreePath.Parse("etc/gshadow");

    public static void AddLine(LayerDraft draft, Item item, TreePath path, string line) => Change(draft, item, path, lines =>
    {
        lines.Add(line);
        return true;
    });

    public static bool HasLine(LayerDraft draft, TreePath path, string name) =>
        Accounts.ReadText(draft.Tree, path)!.Split('\n').Any(l => l.StartsWith(name + ":", StringComparison.Ordinal));

    /// <summary>Adds a user to a group's line; the members are the last field in group(5) and gshadow(5) alike.</summary>
    public static void AddMember(LayerDraft draft, Item item, TreePath path, string group, string user) => Change(draft, item, path, lines =>
    {
        int at = lines.FindIndex(l => l.StartsWith(group + ":", StringComparison.Ordinal));
        if (at < 0)
            return false;
        lines[at] += lines[at].EndsWith(':') ? user : "," + user;
        return true;
    });

    private static void Change(LayerDraft draft, Item item, TreePath path, Func<List<string>, bool> change)
    {
        if (draft.Follow(item, path) is not { Kind: FileKind.File } file)
            throw item.Error($"{path} is no regular file");
        string text = Accounts.ReadText(draft.Tree, path)!;
        List<string> lines = [.. text.Split('\n')];
        if (lines[^1].Length == 0)
            lines.RemoveAt(lines.Count - 1);
        if (!change(lines))
            throw item.Error($"{path}: the line to change is not there");
        file.Content = new MemoryContent(Encoding.Latin1.GetBytes(string.Join('\n', lines) + "\n"));
        file.ModificationTime = draft.Epoch;
    }
}
