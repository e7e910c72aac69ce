using System.Runtime.InteropServices;

namespace Layerbox.StorageS3;

/// <summary>Where the certificates are that we trust. OpenSSL, which is linked in, knows Debian's places alone, and asks the environment first.</summary>
internal static partial class Certificates
{
    private const string FileVariable = "SSL_CERT_FILE", FolderVariable = "SSL_CERT_DIR";

    private static readonly string[] s_bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

    public static void Find()
    {
        // As the command line of AWS has it; the SDK for .NET does not look.
        if (Environment.GetEnvironmentVariable("AWS_CA_BUNDLE") is { Length: > 0 } given)
        {
            Set(FileVariable, given);
            Set(FolderVariable, "/nonexistent");
        }
        else if (Environment.GetEnvironmentVariable(FileVariable) is null && Environment.GetEnvironmentVariable(FolderVariable) is null && s_bundles.FirstOrDefault(File.Exists) is { } bundle)
            Set(FileVariable, bundle);
    }

    // What OpenSSL reads is the C library's environment, of which .NET has a copy.
    private static void Set(string name, string value) => _ = setenv(name, value, 1);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
