using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>libssl and libcrypto. Names are those of OpenSSL 3.0; what its headers define as macros is spelled out beside.</summary>
internal static unsafe partial class OpenSsl
{
    private const string Ssl = "libssl.so.3", Crypto = "libcrypto.so.3";

    public const int SSL_CTRL_SET_TLSEXT_HOSTNAME = 55, SSL_CTRL_SET_MIN_PROTO_VERSION = 123, TLSEXT_NAMETYPE_host_name = 0, TLS1_2_VERSION = 0x0303;
    public const int SSL_VERIFY_NONE = 0, SSL_VERIFY_PEER = 1, SSL_FILETYPE_PEM = 1, X509_V_OK = 0;
    public const int X509_V_ERR_HOSTNAME_MISMATCH = 62, X509_V_ERR_IP_ADDRESS_MISMATCH = 64;
    public const int SSL_ERROR_SSL = 1, SSL_ERROR_WANT_READ = 2, SSL_ERROR_WANT_WRITE = 3, SSL_ERROR_SYSCALL = 5, SSL_ERROR_ZERO_RETURN = 6;

    // err.h, sslerr.h: the reason's number is in the low bits, the library's above.
    public const int SSL_R_UNEXPECTED_EOF_WHILE_READING = 294;
    private const int ERR_REASON_MASK = 0x7FFFFF;

    [LibraryImport(Ssl)] public static partial nint TLS_client_method();
    [LibraryImport(Ssl)] public static partial nint SSL_CTX_new(nint method);
    [LibraryImport(Ssl)] public static partial void SSL_CTX_free(nint context);
    [LibraryImport(Ssl)] public static partial nint SSL_CTX_ctrl(TlsContext context, int command, nint number, void* argument);
    [LibraryImport(Ssl)] public static partial void SSL_CTX_set_verify(TlsContext context, int mode, nint callback);
    [LibraryImport(Ssl)] public static partial int SSL_CTX_set_default_verify_paths(TlsContext context);
    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)] public static partial int SSL_CTX_load_verify_file(TlsContext context, string file);
    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)] public static partial int SSL_CTX_use_certificate_chain_file(TlsContext context, string file);
    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)] public static partial int SSL_CTX_use_PrivateKey_file(TlsContext context, string file, int type);
    [LibraryImport(Ssl)] public static partial int SSL_CTX_check_private_key(TlsContext context);
    [LibraryImport(Ssl)] public static partial void SSL_CTX_set_default_passwd_cb(TlsContext context, delegate* unmanaged<byte*, int, int, void*, int> callback);
    [LibraryImport(Ssl)] public static partial nint SSL_new(TlsContext context);
    [LibraryImport(Ssl)] public static partial void SSL_free(nint ssl);
    [LibraryImport(Ssl)] public static partial int SSL_set_fd(TlsSession ssl, SafeFileHandle socket);
    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)] public static partial int SSL_set1_host(TlsSession ssl, string host);
    [LibraryImport(Ssl)] public static partial nint SSL_get0_param(TlsSession ssl);
    [LibraryImport(Ssl)] public static partial nint SSL_ctrl(TlsSession ssl, int command, nint number, byte* argument);
    [LibraryImport(Ssl)] public static partial int SSL_connect(TlsSession ssl);
    [LibraryImport(Ssl)] public static partial int SSL_read(TlsSession ssl, byte* into, int length);
    [LibraryImport(Ssl)] public static partial int SSL_write(TlsSession ssl, byte* bytes, int length);
    [LibraryImport(Ssl)] public static partial int SSL_get_error(TlsSession ssl, int result);
    [LibraryImport(Ssl)] public static partial nint SSL_get_verify_result(TlsSession ssl);
    [LibraryImport(Crypto, StringMarshalling = StringMarshalling.Utf8)] public static partial int X509_VERIFY_PARAM_set1_ip_asc(nint parameters, string address);
    [LibraryImport(Crypto)] public static partial byte* X509_verify_cert_error_string(nint error);
    [LibraryImport(Crypto)] public static partial byte* X509_get_default_cert_file();
    [LibraryImport(Crypto)] public static partial byte* X509_get_default_cert_dir();
    [LibraryImport(Crypto)] public static partial void ERR_clear_error();
    [LibraryImport(Crypto)] public static partial nuint ERR_peek_last_error();
    [LibraryImport(Crypto)] public static partial byte* ERR_reason_error_string(nuint error);

    /// <summary>What went wrong last on this thread, in OpenSSL's words.</summary>
    public static string Reason() => ERR_peek_last_error() is var error && ERR_reason_error_string(error) is var text and not null ? Text(text) : "unknown error";

    /// <summary>Whether it was that the other side closed the connection without saying so.</summary>
    public static bool IsUnexpectedEnd => ((int)ERR_peek_last_error() & ERR_REASON_MASK) == SSL_R_UNEXPECTED_EOF_WHILE_READING;

    public static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text)!;
}
