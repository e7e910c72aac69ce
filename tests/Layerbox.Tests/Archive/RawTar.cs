using System.Globalization;
using System.Text;

namespace Layerbox.Tests.Archive;

/// <summary>Archives block by block, right ones and wrong ones.</summary>
internal sealed class RawTar
{
    private readonly List<byte> _bytes = [];

    public byte[] Bytes => [.. _bytes];

    /// <summary>A header (ustar) with a right checksum; <paramref name="change"/> may spoil fields before the sum is made.</summary>
    public RawTar Header(string name, char type = '0', string size = "0", string link = "", string magic = "ustar\000", Action<byte[]>? change = null)
    {
        byte[] block = new byte[512];
        Put(block, 0, name);
        Put(block, 100, "0000644");
        Put(block, 108, "0000000");
        Put(block, 116, "0000000");
        Put(block, 124, size);
        Put(block, 136, "0");
        block[156] = (byte)type;
        Put(block, 157, link);
        Put(block, 257, magic);
        change?.Invoke(block);
        int sum = 8 * ' ' + block[..148].Sum(b => b) + block[156..].Sum(b => b);
        Put(block, 148, Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ");
        return Raw(block);
    }

    /// <summary>A member with data, padded.</summary>
    public RawTar File(string name, string data, char type = '0', string magic = "ustar\000") =>
        Header(name, type, Convert.ToString(data.Length, 8), magic: magic).Data(data);

    public RawTar Data(string data) => Raw([.. Encoding.Latin1.GetBytes(data), .. new byte[(512 - (data.Length % 512)) % 512]]);

    /// <summary>An extended header of these records, whose lengths are right.</summary>
    public RawTar Pax(params string[] records) => File("pax", string.Concat(records.Select(Record)), 'x');

    public RawTar Global(params string[] records) => File("pax", string.Concat(records.Select(Record)), 'g');

    public RawTar End() => Raw(new byte[1024]);

    public RawTar Raw(byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public static string Record(string pair)
    {
        int length = pair.Length + 3;
        while (length != pair.Length + 2 + length.ToString(CultureInfo.InvariantCulture).Length)
            length++;
        return string.Create(CultureInfo.InvariantCulture, $"{length} {pair}\n");
    }

    public static void Put(byte[] block, int at, string text) => Encoding.Latin1.GetBytes(text).CopyTo(block, at);
}
