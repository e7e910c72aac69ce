using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>An authority for certificates, another that nobody trusts, and what they signed.</summary>
internal static class TestCertificates
{
    private static readonly DateTimeOffset s_now = DateTimeOffset.UtcNow;
    private static readonly X509Certificate2 s_authority = Authority("test authority"), s_stranger = Authority("another authority");

    /// <summary>For 127.0.0.1 and localhost.</summary>
    public static X509Certificate2 Good { get; } = Server(s_authority, s_now.AddDays(30), "localhost");

    public static X509Certificate2 Expired { get; } = Server(s_authority, s_now.AddDays(-1), "localhost");

    /// <summary>For example.org.</summary>
    public static X509Certificate2 OfAnotherHost { get; } = Server(s_authority, s_now.AddDays(30), "example.org");

    /// <summary>From an authority that is not in <see cref="WriteAuthority"/>.</summary>
    public static X509Certificate2 OfAStranger { get; } = Server(s_stranger, s_now.AddDays(30), "localhost");

    public static X509Certificate2 SelfSigned { get; } = Server(null, s_now.AddDays(30), "localhost");

    /// <summary>A client's.</summary>
    public static X509Certificate2 Client { get; } = Server(s_authority, s_now.AddDays(30), "client");

    public static string Write(string path, params X509Certificate2[] certificates)
    {
        File.WriteAllText(path, string.Concat(certificates.Select(certificate => certificate.ExportCertificatePem() + "\n")));
        return path;
    }

    public static string WriteAuthority(string path) => Write(path, s_authority);

    public static string WriteKey(string path, X509Certificate2 certificate, string? passphrase = null)
    {
        using ECDsa key = certificate.GetECDsaPrivateKey()!;
        File.WriteAllText(path, passphrase is null ? key.ExportPkcs8PrivateKeyPem()
            : key.ExportEncryptedPkcs8PrivateKeyPem(passphrase, new PbeParameters(PbeEncryptionAlgorithm.Aes128Cbc, HashAlgorithmName.SHA256, 1000)));
        return path;
    }

    private static X509Certificate2 Authority(string name)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        return request.CreateSelfSigned(s_now.AddDays(-100), s_now.AddDays(100));
    }

    private static X509Certificate2 Server(X509Certificate2? authority, DateTimeOffset end, string name)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(name);
        if (name == "localhost")
            names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        if (authority is null)
            return request.CreateSelfSigned(s_now.AddDays(-2), end);
        byte[] serial = new byte[8];
        RandomNumberGenerator.Fill(serial);
        using X509Certificate2 certificate = request.Create(authority, s_now.AddDays(-2), end, serial);
        return certificate.CopyWithPrivateKey(key);
    }
}
