using Layerbox.FileTree;

namespace Layerbox.Archive;

/// <summary>A header block, as v7, ustar, star and GNU tar write it.</summary>
internal readonly ref struct TarHeader(ReadOnlySpan<byte> block)
{
    private readonly ReadOnlySpan<byte> _block = block;

    public byte Type => _block[TarFormat.Type];
    public bool IsGnu => _block[TarFormat.Magic].SequenceEqual("ustar  \0"u8);
    private bool IsUstar => _block[TarFormat.Magic].StartsWith("ustar\0"u8);
    private bool IsStar => IsUstar && _block[508..].SequenceEqual("tar\0"u8);

    public uint Mode => (uint)Number(TarFormat.Mode, "mode") & TarFormat.ModeBits;
    public uint Uid => Id(Number(TarFormat.Uid, "uid"), "uid");
    public uint Gid => Id(Number(TarFormat.Gid, "gid"), "gid");
    public long Size => Number(TarFormat.Size, "size") is >= 0 and var size ? size : throw new TarDefect("the size is negative");
    public Timestamp ModificationTime => new(Number(TarFormat.ModificationTime, "mtime"));
    public uint DeviceMajor => Device(Number(TarFormat.DeviceMajor, "device major number"), "major");
    public uint DeviceMinor => Device(Number(TarFormat.DeviceMinor, "device minor number"), "minor");
    public byte[] LinkName => Text(TarFormat.LinkName).ToArray();
    public byte[] UserName => IsUstar || IsGnu ? Text(TarFormat.UserName).ToArray() : [];
    public byte[] GroupName => IsUstar || IsGnu ? Text(TarFormat.GroupName).ToArray() : [];

    /// <summary>The name with ustar's prefix before it. GNU tar has other things in the place of the prefix, star has a shorter one.</summary>
    public byte[] Name
    {
        get
        {
            ReadOnlySpan<byte> name = Text(TarFormat.Name);
            ReadOnlySpan<byte> prefix = IsStar ? Text(345..476) : IsUstar ? Text(TarFormat.Prefix) : default;
            return prefix.IsEmpty ? name.ToArray() : [.. prefix, (byte)'/', .. name];
        }
    }

    /// <summary>Says whether the checksum fits. Some old tars summed signed bytes.</summary>
    public static bool IsHeader(ReadOnlySpan<byte> block)
    {
        if (!TryNumber(block[TarFormat.Checksum], out long checksum))
            return false;
        int sum = TarFormat.Sum(block);
        if (checksum == sum)
            return true;
        int negative = 0;
        for (int i = 0; i < TarFormat.BlockSize; i++)
            if (i is < 148 or >= 156 && block[i] >= 0x80)
                negative++;
        return checksum == sum - (negative * 256);
    }

    /// <summary>A number at an offset of GNU tar's own layout.</summary>
    public long Number(Range field, string what) =>
        TryNumber(_block[field], out long number) ? number : throw new TarDefect($"the {what} '{BytesText.Escape(_block[field])}' is no number");

    public static uint Id(long number, string what) =>
        number is >= 0 and < uint.MaxValue ? (uint)number : throw new TarDefect($"the {what} {number} is not possible");

    private static uint Device(long number, string what) =>
        number is >= 0 and <= uint.MaxValue ? (uint)number : throw new TarDefect($"the {what} number of the device {number} is not possible");

    private ReadOnlySpan<byte> Text(Range field)
    {
        ReadOnlySpan<byte> text = _block[field];
        int end = text.IndexOf((byte)0);
        return end < 0 ? text : text[..end];
    }

    /// <summary>Octal digits between spaces and NULs, or (GNU) a big-endian two's complement number behind a bit.</summary>
    private static bool TryNumber(ReadOnlySpan<byte> field, out long number)
    {
        number = 0;
        if ((field[0] & 0x80) != 0)
            return TryBase256(field, out number);
        ReadOnlySpan<byte> digits = field.Trim(" \0"u8);
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7' || number > long.MaxValue >> 3)
                return false;
            number = (number << 3) | (uint)(digit - '0');
        }
        return true;
    }

    private static bool TryBase256(ReadOnlySpan<byte> field, out long number)
    {
        bool isNegative = (field[0] & 0x40) != 0;
        Int128 value = isNegative ? -1 : 0;
        value = (value << 6) | (uint)(field[0] & 0x3F);
        foreach (byte b in field[1..])
            value = (value << 8) | b;
        number = (long)value;
        return value >= long.MinValue && value <= long.MaxValue;
    }
}
