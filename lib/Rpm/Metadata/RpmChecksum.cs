namespace Layerbox.Rpm;

/// <summary>A digest as repository metadata has it.</summary>
/// <param name="Algorithm">"sha", as old tools write it, is sha1.</param>
/// <param name="Digits">Lower-case hexadecimal digits.</param>
public readonly record struct RpmChecksum(RpmDigestAlgorithm Algorithm, string Digits)
{
    private static readonly System.Buffers.SearchValues<char> s_hexDigits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    /// <exception cref="FormatException">The type is not known, or these are not as many digits as it has.</exception>
    public static RpmChecksum Parse(string type, string digits)
    {
        RpmDigestAlgorithm algorithm = type switch
        {
            "sha256" => RpmDigestAlgorithm.Sha256,
            "sha512" => RpmDigestAlgorithm.Sha512,
            "sha1" or "sha" => RpmDigestAlgorithm.Sha1,
            "sha384" => RpmDigestAlgorithm.Sha384,
            "sha224" => RpmDigestAlgorithm.Sha224,
            "md5" => RpmDigestAlgorithm.Md5,
            _ => throw new FormatException($"a checksum of type '{type}' is not known"),
        };
        string trimmed = digits.Trim();
        if (trimmed.Length != 2 * RpmDigest.SizeOf(algorithm) || trimmed.AsSpan().ContainsAnyExcept(s_hexDigits))
            throw new FormatException($"'{trimmed}' is no checksum of type {type}");
        return new RpmChecksum(algorithm, trimmed.AsSpan().ContainsAnyInRange('A', 'F') ? trimmed.ToLowerInvariant() : trimmed);
    }

    /// <summary>"sha256:…".</summary>
    public override string ToString() => $"{RpmDigest.NameOf(Algorithm)}:{Digits}";
}
