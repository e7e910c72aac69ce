using System.Buffers.Binary;

namespace Layerbox.FileTree;

/// <summary>
/// The text form that setcap(8) takes, as the bytes of the attribute security.capability (linux/capability.h: struct vfs_cap_data,
/// VFS_CAP_REVISION_2: u32 magic and flags, then twice u32 permitted, u32 inheritable; little endian).
/// </summary>
public static class FileCapabilities
{
    private const uint VFS_CAP_REVISION_2 = 0x02000000, VFS_CAP_FLAGS_EFFECTIVE = 1;

    // linux/capability.h, by number from 0.
    private static readonly string[] s_names =
    [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "linux_immutable",
        "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot",
        "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease",
        "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read",
        "perfmon", "bpf", "checkpoint_restore",
    ];

    /// <summary>The name of the attribute.</summary>
    public static ReadOnlySpan<byte> XattrName => "security.capability"u8;

    /// <summary>
    /// Reads clauses as cap_from_text(3) does, separated by blanks: "cap_a,cap_b=ep", "cap_a+i-e", "=ep" and "all=ep" for all there are.
    /// Null when the text is not of that form.
    /// </summary>
    public static byte[]? Parse(string text)
    {
        ulong permitted = 0, inheritable = 0, effective = 0;
        string[] clauses = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (string clause in clauses)
        {
            int sign = clause.AsSpan().IndexOfAny('=', '+', '-');
            if (sign < 0 || (sign == 0 && clause[0] != '=') || Bits(clause[..sign]) is not { } bits)
                return null;
            ReadOnlySpan<char> rest = clause.AsSpan(sign);
            while (!rest.IsEmpty)
            {
                char action = rest[0];
                int end = rest[1..].IndexOfAny('=', '+', '-') is var next and >= 0 ? next + 1 : rest.Length;
                ReadOnlySpan<char> flags = rest[1..end];
                if (flags.ContainsAnyExcept("epi") || (flags.IsEmpty && action != '='))
                    return null;
                permitted = Apply(permitted, 'p', flags, action, bits);
                inheritable = Apply(inheritable, 'i', flags, action, bits);
                effective = Apply(effective, 'e', flags, action, bits);
                rest = rest[end..];
            }
        }
        // The file has one effective bit for all: it must stand for either none or all of them.
        if (clauses.Length == 0 || (effective != 0 && effective != (permitted | inheritable)))
            return null;
        byte[] value = new byte[20];
        BinaryPrimitives.WriteUInt32LittleEndian(value, VFS_CAP_REVISION_2 | (effective != 0 ? VFS_CAP_FLAGS_EFFECTIVE : 0));
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(4), (uint)permitted);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(8), (uint)inheritable);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(12), (uint)(permitted >> 32));
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(16), (uint)(inheritable >> 32));
        return value;
    }

    private static ulong? Bits(string names)
    {
        if (names.Length == 0 || names == "all")
            return (1UL << s_names.Length) - 1;
        ulong bits = 0;
        foreach (string name in names.Split(','))
        {
            int number = Array.IndexOf(s_names, name.StartsWith("cap_", StringComparison.Ordinal) ? name[4..] : "");
            if (number < 0)
                return null;
            bits |= 1UL << number;
        }
        return bits;
    }

    private static ulong Apply(ulong set, char flag, ReadOnlySpan<char> flags, char action, ulong bits) =>
        flags.Contains(flag) ? (action == '-' ? set & ~bits : set | bits)
        : action == '=' ? set & ~bits
        : set;
}
