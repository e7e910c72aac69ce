using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Layerbox.Tests.Archive;

/// <summary>An image of given layers in the layout of the OCI image specification, unpacked by umoci.</summary>
internal static class OciImage
{
    private static int s_number;

    /// <summary>The folder of the unpacked root filesystem.</summary>
    public static string Unpack(TempFolder folder, params byte[][] layers)
    {
        string image = folder / $"image{++s_number}", blobs = Path.Combine(image, "blobs", "sha256"), bundle = folder / $"bundle{s_number}";
        Directory.CreateDirectory(blobs);
        string Blob(byte[] bytes)
        {
            string digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
            File.WriteAllBytes(Path.Combine(blobs, digest), bytes);
            return string.Create(CultureInfo.InvariantCulture, $"\"digest\":\"sha256:{digest}\",\"size\":{bytes.Length}");
        }
        string diffs = string.Join(',', layers.Select(layer => $"\"sha256:{Convert.ToHexStringLower(SHA256.HashData(layer))}\""));
        string config = Blob(Encoding.UTF8.GetBytes($$"""{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[{{diffs}}] } }"""));
        string described = string.Join(',', layers.Select(layer => $$"""{"mediaType":"application/vnd.oci.image.layer.v1.tar",{{Blob(layer)}}}"""));
        string manifest = Blob(Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json",{{config}}},"layers":[{{described}}]}"""));
        File.WriteAllText(Path.Combine(image, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
        File.WriteAllText(
            Path.Combine(image, "index.json"),
            $$"""{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",{{manifest}},"annotations":{"org.opencontainers.image.ref.name":"t" } }] }""");
        Programs.Run("umoci", "unpack", "--image", $"{image}:t", bundle);
        return Path.Combine(bundle, "rootfs");
    }
}
