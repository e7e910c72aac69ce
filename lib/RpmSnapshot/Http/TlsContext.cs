using System.Runtime.InteropServices;
using Layerbox.Posix;
using static Layerbox.RpmSnapshot.Http.OpenSsl;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>
/// What all TLS connections of a repository share (an SSL_CTX): whom we trust, and who we are. OpenSSL itself, which is linked for the digests anyway: what .NET builds
/// above it would be set up at each start of each tool.
/// </summary>
internal sealed unsafe class TlsContext : SafeHandle
{
    /// <summary>Where systems other than the one that OpenSSL was built for keep the certificates that they trust.</summary>
    private static readonly string[] s_bundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

    /// <exception cref="IOException">A file of the settings cannot be read or used.</exception>
    public TlsContext(ConnectionSettings settings) : base(0, ownsHandle: true)
    {
        SetHandle(SSL_CTX_new(TLS_client_method()));
        if (IsInvalid)
            throw new IOException($"TLS cannot be used: {Reason()}");
        Verifies = settings.VerifiesTls;
        try
        {
            _ = SSL_CTX_ctrl(this, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, null);
            SSL_CTX_set_verify(this, Verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, 0);
            if (Verifies)
                Trust(settings.CaFile);
            if (settings.ClientCertificate is { } certificate)
                Present(certificate, settings.ClientKey ?? certificate);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override bool IsInvalid => handle == 0;

    public bool Verifies { get; }

    protected override bool ReleaseHandle()
    {
        SSL_CTX_free(handle);
        return true;
    }

    private void Trust(string? caFile)
    {
        ERR_clear_error();
        if (caFile is not null)
        {
            Check(SSL_CTX_load_verify_file(this, Readable(caFile)), caFile, "certificates");
            return;
        }
        // It looks at SSL_CERT_FILE and SSL_CERT_DIR, and at where they were when OpenSSL was built.
        _ = SSL_CTX_set_default_verify_paths(this);
        if (EnvironmentVariable.Get("SSL_CERT_FILE") is null && EnvironmentVariable.Get("SSL_CERT_DIR") is null
            && !IsThere(Text(X509_get_default_cert_file())) && !IsThere(Text(X509_get_default_cert_dir()))
            && s_bundles.FirstOrDefault(IsThere) is { } bundle)
            _ = SSL_CTX_load_verify_file(this, bundle);
        ERR_clear_error();
    }

    private void Present(string certificate, string key)
    {
        ERR_clear_error();
        // Else OpenSSL asks for it on the terminal, which may have nobody before it.
        SSL_CTX_set_default_passwd_cb(this, &NoPassphrase);
        Check(SSL_CTX_use_certificate_chain_file(this, Readable(certificate)), certificate, "client certificate");
        if (SSL_CTX_use_PrivateKey_file(this, Readable(key), SSL_FILETYPE_PEM) != 1)
            throw new IOException($"{key}: client key: {(s_passphraseWanted ? "keys with a passphrase are not supported" : Reason())}");
        Check(SSL_CTX_check_private_key(this), key, "client key");
    }

    [ThreadStatic]
    private static bool s_passphraseWanted;

    [UnmanagedCallersOnly]
    private static int NoPassphrase(byte* into, int size, int isForWriting, void* data)
    {
        s_passphraseWanted = true;
        return 0;
    }

    private static bool IsThere(string path) => Files.TryStatus(Directories.Current, PathText.ToBytes(path), followLinks: true) is not null;

    /// <summary>The system's own word for a file that is not there.</summary>
    private static string Readable(string path)
    {
        Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NonBlocking | OpenFlags.NoControllingTerminal).Dispose();
        return path;
    }

    private static void Check(int result, string path, string what)
    {
        if (result != 1)
            throw new IOException($"{path}: {what}: {Reason()}");
    }
}
