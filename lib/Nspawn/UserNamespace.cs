using System.Globalization;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>Users (or groups) outside that are others inside (user_namespaces(7)).</summary>
/// <param name="Inside">The first number inside.</param>
/// <param name="Outside">The one that it is outside.</param>
/// <param name="Count">How many follow each other.</param>
internal readonly record struct IdRange(uint Inside, uint Outside, uint Count)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Inside} {Outside} {Count}");
}

/// <summary>
/// Who the users of a container are outside, where the tool has no privileges: root inside is whoever started it, the others are the numbers
/// that /etc/subuid and /etc/subgid give him, if newuidmap(1) is there to hand them out. Without, there is root inside and nobody else.
/// </summary>
internal sealed record UserNamespace
{
    /// <summary>The programs that may map what we may not; null: only ourselves are mapped.</summary>
    public string? UserMapper { get; init; }

    public string? GroupMapper { get; init; }

    public required IReadOnlyList<IdRange> Users { get; init; }

    public required IReadOnlyList<IdRange> Groups { get; init; }

    /// <summary>Why <see cref="Users"/> are no more than one, as advice.</summary>
    public string Advice { get; init; } = "";

    /// <summary>setgroups(2) is possible: not where a group could be left that forbids something.</summary>
    public required bool MaySetGroups { get; init; }

    /// <summary>
    /// Made by root for users that the host does not have (<see cref="UserRange"/>): what is shown of the host was opened by root, and the files of the root have the
    /// owners inside that they have outside.
    /// </summary>
    public bool KeepsOwners { get; init; }

    /// <summary>Holds the numbers for as long as it is open; null: nobody else would take them.</summary>
    public SafeFileHandle? Claim { get; init; }

    /// <summary>What this process needs; null when it is root and needs none.</summary>
    public static UserNamespace? ForThisProcess() => ProcessOwner.EffectiveUid == 0 ? null : Of(ProcessOwner.EffectiveUid, ProcessOwner.EffectiveGid, "/etc");

    /// <param name="uid">Who becomes root.</param>
    /// <param name="gid">And whose group.</param>
    /// <param name="etc">The folder with passwd, subuid and subgid.</param>
    internal static UserNamespace Of(uint uid, uint gid, string etc)
    {
        string number = uid.ToString(CultureInfo.InvariantCulture);
        string name = Fields($"{etc}/passwd").FirstOrDefault(fields => fields.Length > 2 && fields[2] == number)?[0] ?? number;
        List<IdRange> users = Subordinate($"{etc}/subuid", name, number), groups = Subordinate($"{etc}/subgid", name, number);
        (string? userMapper, string? groupMapper) = (FindMapper("newuidmap"), FindMapper("newgidmap"));
        string advice = users.Count == 0 || groups.Count == 0
            ? $"add sub-ids for {name} to /etc/subuid and /etc/subgid, for instance by: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
            : "install newuidmap and newgidmap (package uidmap)";
        return users.Count > 0 && groups.Count > 0 && userMapper is not null && groupMapper is not null
            ? new UserNamespace { Users = [new(0, uid, 1), .. users], Groups = [new(0, gid, 1), .. groups], UserMapper = userMapper, GroupMapper = groupMapper, MaySetGroups = true }
            : new UserNamespace { Users = [new(0, uid, 1)], Groups = [new(0, gid, 1)], MaySetGroups = false, Advice = advice };
    }

    /// <summary>The one that a process is in, as this process sees it.</summary>
    /// <exception cref="PosixException">The process has ended.</exception>
    internal static UserNamespace OfProcess(string id)
    {
        return new UserNamespace
        {
            Users = Map("uid_map"),
            Groups = Map("gid_map"),
            MaySetGroups = Encoding.ASCII.GetString(WholeFile.Read($"/proc/{id}/setgroups")).Trim() == "allow",
            Advice = "the container has no such number",
        };

        List<IdRange> Map(string name)
        {
            List<IdRange> ranges = [];
            foreach (string line in Encoding.ASCII.GetString(WholeFile.Read($"/proc/{id}/{name}")).Split('\n'))
            {
                if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var inside, var outside, var count] && Number(inside) is { } first && Number(outside) is { } to && Number(count) is { } length)
                    ranges.Add(new IdRange(first, to, length));
            }
            return ranges;
        }
    }

    /// <summary>What a number outside is inside; null when it is nobody there.</summary>
    public static uint? Inside(IReadOnlyList<IdRange> ranges, uint outside)
    {
        foreach (IdRange range in ranges)
        {
            if (outside - range.Outside < range.Count && outside >= range.Outside)
                return range.Inside + (outside - range.Outside);
        }
        return null;
    }

    /// <summary>Whether a number exists inside.</summary>
    public static bool Has(IReadOnlyList<IdRange> ranges, uint inside) =>
        ranges.Any(range => inside >= range.Inside && inside - range.Inside < range.Count);

    /// <exception cref="ContainerException">The command cannot become this user.</exception>
    public void Check(ContainerUser user)
    {
        if (!Has(Users, user.Uid))
            throw new ContainerException(string.Create(CultureInfo.InvariantCulture, $"uid {user.Uid} is not mapped: {AdviceFor("uids")}"));
        foreach (uint gid in (uint[])[user.Gid, .. MaySetGroups ? user.Groups : []])
        {
            if (!Has(Groups, gid))
                throw new ContainerException(string.Create(CultureInfo.InvariantCulture, $"gid {gid} is not mapped: {AdviceFor("gids")}"));
        }
    }

    private string AdviceFor(string ids) => Advice.Length > 0 ? Advice : $"there are no more sub-{ids} in /etc/sub{ids[..^1]}";

    // subuid(5): name or number, first, count. Numbers inside go on from 1.
    private static List<IdRange> Subordinate(string path, string name, string number)
    {
        const uint IdMax = 65536;
        List<IdRange> ranges = [];
        uint next = 1;
        foreach (string[] fields in Fields(path))
        {
            if (fields.Length == 3 && (fields[0] == name || fields[0] == number) && Number(fields[1]) is { } first && Number(fields[2]) is { } count and > 0 && next < IdMax)
            {
                count = Math.Min(count, IdMax - next);
                ranges.Add(new IdRange(next, first, count));
                next += count;
            }
        }
        return ranges;
    }

    internal static uint? Number(string text) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) ? number : null;

    internal static IEnumerable<string[]> Fields(string path)
    {
        try
        {
            return Encoding.UTF8.GetString(WholeFile.Read(path)).Split('\n').Select(line => line.Split(':'));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.EACCES)
        {
            return [];
        }
    }

    // Not on PATH: they are given the right to map users, so they are the system's.
    private static readonly string[] MapperFolders = ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"];

    private static string? FindMapper(string name) =>
        MapperFolders.Select(folder => $"{folder}/{name}").FirstOrDefault(path => ProgramStart.WhyNotExecutable(path) is null);
}
