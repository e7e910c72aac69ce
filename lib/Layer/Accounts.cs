using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// The users and groups of an image, from its own /etc/passwd and /etc/group (passwd(5), group(5)); never the host's. Without
/// those files there is only root.
/// </summary>
public sealed class Accounts
{
    public static TreePath PasswdPath { get; } = TreePath.Parse("etc/passwd");
    public static TreePath GroupPath { get; } = TreePath.Parse("etc/group");

    private const string Root = "root";

    /// <summary>It is read as a whole.</summary>
    private const long MaxBytes = 16 << 20;

    public IReadOnlyList<User> Users { get; private init; } = [];
    public IReadOnlyList<Group> Groups { get; private init; } = [];

    public sealed record User(string Name, uint Uid, uint Gid, string Home, string Shell);

    public sealed record Group(string Name, uint Gid, IReadOnlyList<string> Members);

    public static Accounts Read(Tree tree) => new()
    {
        Users = [.. Lines(tree, PasswdPath, 7).Select(f => new User(f[0], Number(f[2], PasswdPath), Number(f[3], PasswdPath), f[5], f[6]))],
        Groups = [.. Lines(tree, GroupPath, 4).Select(f => new Group(f[0], Number(f[2], GroupPath), f[3].Split(',', StringSplitOptions.RemoveEmptyEntries)))],
    };

    /// <summary>The id of a user by name, or the number that the text is; null when the image has no such user.</summary>
    public uint? Uid(string nameOrNumber) =>
        TryNumber(nameOrNumber, out uint uid) ? uid : Users.FirstOrDefault(u => u.Name == nameOrNumber)?.Uid ?? (nameOrNumber == Root ? 0 : null);

    /// <inheritdoc cref="Uid"/>
    public uint? Gid(string nameOrNumber) =>
        TryNumber(nameOrNumber, out uint gid) ? gid : Groups.FirstOrDefault(g => g.Name == nameOrNumber)?.Gid ?? (nameOrNumber == Root ? 0 : null);

    public string? UserName(uint uid) => Users.FirstOrDefault(u => u.Uid == uid)?.Name ?? (uid == 0 ? Root : null);

    public string? GroupName(uint gid) => Groups.FirstOrDefault(g => g.Gid == gid)?.Name ?? (gid == 0 ? Root : null);

    public static bool TryNumber(string text, out uint number) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>The text of a small file of the image; null when there is none. Latin-1, so that every byte survives.</summary>
    public static string? ReadText(Tree tree, TreePath path)
    {
        if (tree.Find(tree.Resolve(path, followLast: true))?.Content is not { } content)
            return null;
        if (content.Size > MaxBytes)
            throw new LayerException($"{path}: {content.Size} bytes are too many; at most {MaxBytes} make sense");
        using Stream stream = content.Open();
        using StreamReader reader = new(stream, Encoding.Latin1);
        return reader.ReadToEnd();
    }

    private static IEnumerable<string[]> Lines(Tree tree, TreePath path, int fields)
    {
        foreach (string line in (ReadText(tree, path) ?? "").Split('\n'))
        {
            // NIS entries ("+") and comments name no user of this image.
            if (line.Length == 0 || line[0] is '#' or '+' or '-')
                continue;
            string[] parts = line.Split(':');
            yield return parts.Length == fields ? parts : throw new LayerException($"{path}: line '{line}' has {parts.Length} fields; {fields} are expected");
        }
    }

    private static uint Number(string text, TreePath path) =>
        TryNumber(text, out uint number) ? number : throw new LayerException($"{path}: '{text}' is no id");
}
