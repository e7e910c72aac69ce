using System.Text;

namespace Layerbox.RpmSnapshot;

/// <summary>OpenPGP public keys as a file has them, armored (of which there may be several in a row) or not.</summary>
/// <param name="Bytes">The file, which is kept as it is.</param>
/// <param name="Packets">The keys alone, as a keyring of gpgv has them.</param>
public sealed record PublicKeys(byte[] Bytes, byte[] Packets)
{
    private const int PublicKeyTag = 6;
    private const string Begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----", End = "-----END PGP PUBLIC KEY BLOCK-----";

    /// <exception cref="InvalidDataException">There is no public key in it.</exception>
    public static PublicKeys Parse(byte[] bytes)
    {
        // RFC 9580: the first byte of a packet has its highest bit set; a public key has tag 6.
        if (bytes is [var first, ..] && (first & 0x80) != 0)
            return ((first & 0x40) != 0 ? first & 0x3F : (first >> 2) & 0xF) == PublicKeyTag ? new PublicKeys(bytes, bytes) : throw new InvalidDataException("is no OpenPGP public key");
        List<byte> packets = [];
        string[] lines = Encoding.Latin1.GetString(bytes).Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Trim() != Begin)
                continue;
            // Headers, such as "Version: …", up to an empty line.
            while (++i < lines.Length && lines[i].Trim().Length > 0)
            {
            }
            StringBuilder base64 = new();
            while (++i < lines.Length && lines[i].Trim() is var line && line != End)
                if (!line.StartsWith('=')) // the checksum
                    base64.Append(line);
            try
            {
                packets.AddRange(i < lines.Length ? Convert.FromBase64String(base64.ToString()) : throw new FormatException());
            }
            catch (FormatException e)
            {
                throw new InvalidDataException("its OpenPGP armor is damaged", e);
            }
        }
        return packets.Count > 0 ? new PublicKeys(bytes, [.. packets]) : throw new InvalidDataException("holds no OpenPGP public key");
    }

    /// <summary>Each key with what belongs to it (users, subkeys, signatures), as rpm takes them: one after another.</summary>
    /// <exception cref="InvalidDataException">They are cut off, or no packets of OpenPGP.</exception>
    public IReadOnlyList<byte[]> Certificates()
    {
        List<int> starts = [];
        int at = 0;
        while (at < Packets.Length)
        {
            (int tag, int next) = Packet(at);
            if (tag == PublicKeyTag)
                starts.Add(at);
            else if (starts.Count == 0)
                throw new InvalidDataException("begins with something else than an OpenPGP public key");
            at = next;
        }
        return [.. starts.Zip([.. starts.Skip(1), at], (from, to) => Packets[from..to])];
    }

    // RFC 9580, 4.2: a byte with the tag, then the length of the body, in one of two formats.
    private (int Tag, int Next) Packet(int at)
    {
        byte first = Packets[at++];
        bool isNew = (first & 0x40) != 0;
        int tag = isNew ? first & 0x3F : (first >> 2) & 0xF;
        long length = isNew
            ? Number(1) switch
            {
                < 192 and var small => small,
                < 224 and var high => ((high - 192) << 8) + Number(1) + 192,
                255 => Number(4),
                _ => throw Damaged(), // in parts, which keys are not
            }
            : (first & 3) == 3 ? throw Damaged() : Number(1 << (first & 3));
        return (first & 0x80) != 0 && length <= Packets.Length - at ? (tag, at + (int)length) : throw Damaged();

        long Number(int bytes)
        {
            long number = 0;
            for (; bytes > 0; bytes--)
                number = number << 8 | (at < Packets.Length ? Packets[at++] : throw Damaged());
            return number;
        }

        static InvalidDataException Damaged() => new("its OpenPGP packets are damaged");
    }
}
