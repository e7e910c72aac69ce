using System.Text;

namespace Layerbox.RpmSnapshot;

/// <summary>OpenPGP public keys as a file has them, armored (of which there may be several in a row) or not.</summary>
/// <param name="Bytes">The file, which is kept as it is.</param>
/// <param name="Packets">The keys alone, as a keyring of gpgv has them.</param>
public sealed record PublicKeys(byte[] Bytes, byte[] Packets)
{
    private const string Begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----", End = "-----END PGP PUBLIC KEY BLOCK-----";

    /// <exception cref="InvalidDataException">There is no public key in it.</exception>
    public static PublicKeys Parse(byte[] bytes)
    {
        // RFC 9580: the first byte of a packet has its highest bit set; a public key has tag 6.
        if (bytes is [var first, ..] && (first & 0x80) != 0)
            return ((first & 0x40) != 0 ? first & 0x3F : (first >> 2) & 0xF) == 6 ? new PublicKeys(bytes, bytes) : throw new InvalidDataException("is no OpenPGP public key");
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
}
