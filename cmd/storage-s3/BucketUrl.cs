namespace Layerbox.StorageS3;

/// <summary>Which bucket, and what all names in it begin with: s3://BUCKET/PREFIX.</summary>
/// <param name="Bucket">Its name.</param>
/// <param name="Prefix">Empty, or it ends with a slash.</param>
internal sealed record BucketUrl(string Bucket, string Prefix)
{
    private const string Scheme = "s3://";

    /// <exception cref="FormatException">It is none.</exception>
    public static BucketUrl Parse(string text)
    {
        if (!text.StartsWith(Scheme, StringComparison.Ordinal))
            throw new FormatException($"'{text}': a bucket is called {Scheme}BUCKET or {Scheme}BUCKET/PREFIX");
        string[] parts = text[Scheme.Length..].TrimEnd('/').Split('/');
        if (!parts.All(part => part.Length > 0 && part is not ("." or "..") && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_')))
            throw new FormatException($"'{text}': letters, digits, '.', '-' and '_' between single slashes are what a bucket and a prefix may have");
        return new BucketUrl(parts[0], parts.Length == 1 ? "" : $"{string.Join('/', parts[1..])}/");
    }

    public string KeyOf(string name) => Prefix + name;

    public string Show(string name) => $"{Scheme}{Bucket}/{KeyOf(name)}";
}
