using System.CommandLine;
using System.Globalization;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.SendStream;

namespace Layerbox.Cmd.Sendstream;

/// <summary>The options of sendstream-rewrite that change the commands one by one, and what their texts mean.</summary>
internal sealed class RewriteArguments
{
    private readonly Option<string?> _proto = new("--proto") { Description = "Version of the format: 1, which every receiver understands, or 2.", HelpName = "1|2" };
    private readonly Option<string?> _compress = new("--compress") { Description = "Compress the data of files: zlib or zstd, which needs version 2; none decodes it.", HelpName = "none|zlib|zstd" };
    private readonly Option<int?> _level = new("--level") { Description = "Level of the compression: zlib 1 to 9 (6), zstd 1 to 22 (3).", HelpName = "N" };
    private readonly Option<bool> _joinWrites = new("--join-writes") { Description = "Join writes that follow each other; --compress always does." };
    private readonly Option<string[]> _only = new("--only") { Description = "Keep this subvolume of those that the input describes. May be given several times.", HelpName = "NAME|UUID" };
    private readonly Option<string?> _name = new("--name") { Description = "A new name for the subvolume.", HelpName = "NAME" };
    private readonly Option<Guid?> _uuid = new("--uuid") { Description = "A new uuid for the subvolume; clones from itself follow.", HelpName = "UUID" };
    private readonly Option<Guid?> _parentUuid = new("--parent-uuid") { Description = "Another parent for an incremental stream; clones from it follow.", HelpName = "UUID" };
    private readonly Option<ulong?> _parentTransid = new("--parent-transid") { Description = "The transaction of that parent.", HelpName = "N" };
    private readonly Option<string[]> _mapUid = new("--map-uid") { Description = "Give files of user OLD to NEW; with +COUNT, so many users in a row. May be given several times.", HelpName = "OLD=NEW[+COUNT]" };
    private readonly Option<string[]> _mapGid = new("--map-gid") { Description = "The same for groups.", HelpName = "OLD=NEW[+COUNT]" };
    private readonly Option<bool> _strictMap = new("--strict-map") { Description = "Refuse users and groups that no map names; else they stay." };
    private readonly Option<string?> _chown = new("--chown") { Description = "Give all files to one user and group; access control lists keep theirs.", HelpName = "UID:GID" };
    private readonly Option<string?> _times = new("--times") { Description = "keep; strip: leave all times out; clamp=SECONDS: none later than that many seconds since 1970.", HelpName = "keep|strip|clamp=SECONDS" };

    public void AddTo(Command command)
    {
        _proto.AcceptOnlyFromAmong("1", "2");
        _compress.AcceptOnlyFromAmong("none", "zlib", "zstd");
        foreach (Option option in (Option[])[_proto, _compress, _level, _joinWrites, _only, _name, _uuid, _parentUuid, _parentTransid, _mapUid, _mapGid, _strictMap, _chown, _times])
            command.Add(option);
    }

    /// <exception cref="UsageException">The options do not make sense, alone or together.</exception>
    public RewriteOptions Options(ParseResult args)
    {
        uint? version = args.GetValue(_proto) switch { "1" => 1, "2" => 2, _ => null };
        WriteCompression? compression = args.GetValue(_compress) switch
        {
            "none" => WriteCompression.None,
            "zlib" => WriteCompression.Zlib,
            "zstd" => WriteCompression.Zstd,
            _ => null,
        };
        if (version == 1 && compression is (WriteCompression.Zlib or WriteCompression.Zstd))
            throw new UsageException("--compress needs --proto 2");
        bool isStrict = args.GetValue(_strictMap);
        (IdMap? users, IdMap? groups) = (Map(args.GetValue(_mapUid), "--map-uid", isStrict), Map(args.GetValue(_mapGid), "--map-gid", isStrict));
        if (isStrict && users is null && groups is null)
            throw new UsageException("--strict-map needs --map-uid or --map-gid");
        (Timestamp? latest, bool strip) = Times(args.GetValue(_times));
        return new RewriteOptions
        {
            Version = version,
            Compression = compression,
            Level = Level(args.GetValue(_level), compression),
            JoinWrites = args.GetValue(_joinWrites),
            Only = [.. (args.GetValue(_only) ?? []).Select(PathText.ToBytes)],
            Identity = new SubvolumeIdentity(Name(args.GetValue(_name)), args.GetValue(_uuid), args.GetValue(_parentUuid), args.GetValue(_parentTransid)),
            Users = users,
            Groups = groups,
            Owner = Owner(args.GetValue(_chown), users ?? groups),
            StripTimes = strip,
            LatestTime = latest,
        };
    }

    private static int? Level(int? level, WriteCompression? compression)
    {
        if (level is null)
            return null;
        if (compression is not { } kind || RewriteOptions.Levels(kind) is not { } levels)
            throw new UsageException("--level needs --compress zlib or zstd");
        return level >= levels.Least && level <= levels.Most
            ? level
            : throw new UsageException($"--level: expected {levels.Least} to {levels.Most}, found {level}");
    }

    private static FileName? Name(string? name)
    {
        try
        {
            return name is null ? null : new FileName(PathText.ToBytes(name));
        }
        catch (InvalidDataException e)
        {
            throw new UsageException($"--name: {e.Message}");
        }
    }

    // OLD=NEW[+COUNT]
    private static IdMap? Map(string[]? texts, string option, bool isStrict)
    {
        if (texts is null or [])
            return null;
        List<IdMap.Range> ranges = [];
        foreach (string text in texts)
        {
            string[] sides = text.Split('='), right = sides[^1].Split('+');
            if (sides.Length != 2 || right.Length > 2 || Id(sides[0]) is not { } old || Id(right[0]) is not { } @new
                || (right.Length == 1 ? 1 : Id(right[1])) is not ({ } count and > 0) || (ulong)Math.Max(old, @new) + count > uint.MaxValue)
                throw new UsageException($"{option}: expected OLD=NEW or OLD=NEW+COUNT, numbers below {uint.MaxValue}, found '{text}'");
            IdMap.Range range = new(old, @new, count);
            if (ranges.Exists(other => other.Old < (ulong)old + count && old < (ulong)other.Old + other.Count))
                throw new UsageException($"{option}: '{text}' maps what another one maps, too");
            ranges.Add(range);
        }
        return new IdMap(ranges, isStrict);
    }

    private static (uint Uid, uint Gid)? Owner(string? text, IdMap? map)
    {
        if (text is null)
            return null;
        if (map is not null)
            throw new UsageException("--chown does not go with --map-uid or --map-gid");
        string[] ids = text.Split(':');
        return ids.Length == 2 && Id(ids[0]) is { } uid && Id(ids[1]) is { } gid
            ? (uid, gid)
            : throw new UsageException($"--chown: expected UID:GID, two numbers, found '{text}'");
    }

    private static (Timestamp? Latest, bool Strip) Times(string? text)
    {
        const string Clamp = "clamp=";
        if (text is null or "keep")
            return (null, false);
        if (text == "strip")
            return (null, true);
        return text.StartsWith(Clamp, StringComparison.Ordinal) && long.TryParse(text.AsSpan(Clamp.Length), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds)
            ? (new Timestamp(seconds), false)
            : throw new UsageException($"--times: expected keep, strip or clamp=SECONDS, found '{text}'");
    }

    // The highest number means "no change" to chown(2) and is nobody's.
    private static uint? Id(string text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) && id != uint.MaxValue ? id : null;
}
