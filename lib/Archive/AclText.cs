using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>Access control lists as tar has them (text, acl(5)) and as the kernel has them (linux/posix_acl_xattr.h).</summary>
internal static class AclText
{
    private const uint Version = 2;
    private const uint NoId = uint.MaxValue;

    // linux/posix_acl.h
    private const ushort ACL_USER_OBJ = 0x01;
    private const ushort ACL_USER = 0x02;
    private const ushort ACL_GROUP_OBJ = 0x04;
    private const ushort ACL_GROUP = 0x08;
    private const ushort ACL_MASK = 0x10;
    private const ushort ACL_OTHER = 0x20;

    /// <summary>
    /// The value of the attribute system.posix_acl_*; null for a list that says no more than the permission bits do
    /// (GNU tar --acls writes one for every member).
    /// </summary>
    /// <param name="text">Entries between commas or line ends.</param>
    /// <param name="canBeMode">Whether the bits can say it all: for an access list, not for a directory's default.</param>
    /// <param name="mode">The permission bits that a file with this list has.</param>
    public static byte[]? ToXattr(ReadOnlySpan<byte> text, bool canBeMode, out uint mode)
    {
        mode = 0;
        List<(ushort Tag, ushort Permissions, uint Id)> entries = [];
        foreach (string line in Encoding.UTF8.GetString(text).Split(',', '\n'))
        {
            string entry = line.Split('#')[0].Trim(' ', '\t', '\0');
            if (entry.Length > 0)
                entries.Add(Parse(entry));
        }
        if (entries.Count == 0 || (canBeMode && entries.TrueForAll(entry => entry.Id == NoId && entry.Tag != ACL_MASK)))
            return null;
        entries.Sort();
        mode = (Permissions(entries, ACL_USER_OBJ) << 6) | (Permissions(entries, ACL_MASK) << 3) | Permissions(entries, ACL_OTHER);
        byte[] value = new byte[4 + (8 * entries.Count)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, Version);
        for (int i = 0; i < entries.Count; i++)
        {
            Span<byte> at = value.AsSpan(4 + (8 * i));
            BinaryPrimitives.WriteUInt16LittleEndian(at, entries[i].Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], entries[i].Permissions);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], entries[i].Id);
        }
        return value;
    }

    private static uint Permissions(List<(ushort Tag, ushort Permissions, uint Id)> entries, ushort tag) =>
        entries.Find(entry => entry.Tag == tag).Permissions;

    /// <summary>"user:1000:rw-"; star and bsdtar add the number behind ("user:alice:rw-:1000").</summary>
    private static (ushort Tag, ushort Permissions, uint Id) Parse(string entry)
    {
        string[] parts = entry.Split(':');
        if (parts.Length is < 3 or > 4 || parts[2].Length != 3)
            throw Bad(entry);
        ushort permissions = (ushort)(Bit(parts[2][0], 'r', 4, entry) | Bit(parts[2][1], 'w', 2, entry) | Bit(parts[2][2], 'x', 1, entry));
        bool isNamed = parts[1].Length > 0;
        ushort tag = (parts[0], isNamed) switch
        {
            ("user" or "u", false) => ACL_USER_OBJ,
            ("user" or "u", true) => ACL_USER,
            ("group" or "g", false) => ACL_GROUP_OBJ,
            ("group" or "g", true) => ACL_GROUP,
            ("mask" or "m", false) => ACL_MASK,
            ("other" or "o", false) => ACL_OTHER,
            _ => throw Bad(entry),
        };
        if (!isNamed)
            return (tag, permissions, NoId);
        return uint.TryParse(parts[^1], CultureInfo.InvariantCulture, out uint id) || uint.TryParse(parts[1], CultureInfo.InvariantCulture, out id)
            ? (tag, permissions, id)
            : throw new TarDefect($"the access control list names '{parts[1]}' without a number");
    }

    private static int Bit(char found, char set, int bit, string entry) => found == set ? bit : found == '-' ? 0 : throw Bad(entry);

    private static TarDefect Bad(string entry) => new($"'{BytesText.Escape(Encoding.UTF8.GetBytes(entry))}' is no entry of an access control list");
}
