using System.Buffers.Binary;

namespace Layerbox.Layer;

/// <summary>
/// The text form that setcap(8) takes, as the bytes of the attribute security.capability (linux/capability.h: struct vfs_cap_data,
/// VFS_CAP_REVISION_2: u32 magic and flags, then twice u32 permitted, u32 inheritable; little endian).
/// </summary>
internal static class FileCapabilities
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

    /// <summary>One or more clauses "cap_a,cap_b=ep" or "+ep", separated by blanks. Null when the text is not of that form.</summary>
    public static byte[]? Parse(string text)
    {
        ulong permitted = 0, inheritable = 0, effective = 0;
        string[] clauses = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        foreach (string clause in clauses)
        {
            int sign = clause.IndexOfAny(['=', '+']);
            if (sign < 1 || sign == clause.Length - 1)
                return null;
            ulong bits = 0;
            foreach (string name in clause[..sign].Split(','))
            {
                int number = Array.IndexOf(s_names, name.StartsWith("cap_", StringComparison.Ordinal) ? name[4..] : "");
                if (number < 0)
                    return null;
                bits |= 1UL << number;
            }
            foreach (char flag in clause.AsSpan(sign + 1))
            {
                if (flag == 'p')
                    permitted |= bits;
                else if (flag == 'i')
                    inheritable |= bits;
                else if (flag == 'e')
                    effective |= bits;
                else
                    return null;
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
}
