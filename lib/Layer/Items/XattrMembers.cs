using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>The members "xattrs" (values as text, "0x…" or "0s…" as getfattr has them) and "setcap" of items that make a file.</summary>
internal static class XattrMembers
{
    private static readonly byte[] s_capability = FileCapabilities.XattrName.ToArray();

    /// <summary>linux/limits.h: XATTR_NAME_MAX.</summary>
    private const int MaxName = 255;

    public static XattrSet Parse(SpecObject spec)
    {
        List<Xattr> xattrs = [];
        foreach ((string name, string value) in spec.OptionalTextMap("xattrs") ?? [])
        {
            if (!name.Contains('.', StringComparison.Ordinal))
                throw spec.Error($"member 'xattrs': '{name}' has no namespace, like \"user.{name}\"");
            if (name.EndsWith('.') || name.Contains('\0', StringComparison.Ordinal) || Encoding.UTF8.GetByteCount(name) > MaxName)
                throw spec.Error($"member 'xattrs': '{name}' is no name of an extended attribute");
            xattrs.Add(new Xattr(Encoding.UTF8.GetBytes(name), Value(spec, name, value)));
        }
        if (spec.OptionalText("setcap") is { } capabilities)
        {
            if (xattrs.Any(x => x.Name.AsSpan().SequenceEqual(s_capability)))
                throw spec.Error("'setcap' and the extended attribute 'security.capability' exclude each other");
            xattrs.Add(new Xattr(s_capability, FileCapabilities.Parse(capabilities) ?? throw spec.Error($"member 'setcap': '{capabilities}' is not of the form \"cap_net_bind_service,cap_net_raw=ep\"")));
        }
        return XattrSet.From(xattrs);
    }

    public static string? TextOf(XattrSet xattrs) =>
        xattrs.Count == 0 ? null : string.Join(',', xattrs.Items.Select(x => $"{BytesText.Escape(x.Name)}=0x{Convert.ToHexStringLower(x.Value)}"));

    private static byte[] Value(SpecObject spec, string name, string value)
    {
        try
        {
            return value.StartsWith("0x", StringComparison.Ordinal) ? Convert.FromHexString(value.AsSpan(2))
                : value.StartsWith("0s", StringComparison.Ordinal) ? Convert.FromBase64String(value[2..])
                : Encoding.UTF8.GetBytes(value);
        }
        catch (FormatException)
        {
            throw spec.Error($"member 'xattrs': the value of '{name}' is neither hexadecimal after 0x nor base64 after 0s");
        }
    }
}
