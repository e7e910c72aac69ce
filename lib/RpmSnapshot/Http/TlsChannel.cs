using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;
using static Layerbox.RpmSnapshot.Http.OpenSsl;

namespace Layerbox.RpmSnapshot.Http;

/// <summary>A connection whose server has proved who it is, unless that was switched off.</summary>
internal sealed unsafe class TlsChannel : Channel
{
    private readonly TlsSession _session;

    /// <summary>Shakes hands on a socket, which is this channel's from then on, even if that fails.</summary>
    /// <param name="context">Whom we trust.</param>
    /// <param name="host">The name or address that the certificate must have.</param>
    /// <exception cref="RepoFetchException">It has not, or something else is wrong.</exception>
    public TlsChannel(SafeFileHandle socket, TlsContext context, string host, TimeSpan patience) : base(socket, patience)
    {
        _session = new TlsSession(context);
        try
        {
            if (IPAddress.TryParse(host, out _))
                Check(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(_session), host), host);
            else
            {
                Check(SSL_set1_host(_session, host), host);
                fixed (byte* name = Encoding.ASCII.GetBytes(host + "\0"))
                    Check((int)SSL_ctrl(_session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name), host);
            }
            Check(SSL_set_fd(_session, socket), host);
            Try(() => SSL_connect(_session), "TLS: ");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override int Read(Span<byte> into)
    {
        fixed (byte* p = into)
        {
            byte* to = p;
            int length = into.Length;
            return Try(() => SSL_read(_session, to, length), "TLS: ");
        }
    }

    public override void Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* p = bytes)
        {
            byte* from = p;
            int length = bytes.Length;
            if (length > 0)
                Try(() => SSL_write(_session, from, length), "TLS: ");
        }
    }

    public override void Dispose()
    {
        _session.Dispose();
        base.Dispose();
    }

    private int Try(Func<int> call, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            ERR_clear_error();
            Marshal.SetLastSystemError(0);
            int result = call();
            Errno errno = (Errno)Marshal.GetLastSystemError();
            if (result > 0)
                return result;
            switch (SSL_get_error(_session, result))
            {
                case SSL_ERROR_ZERO_RETURN:
                    return 0;
                case SSL_ERROR_WANT_READ or SSL_ERROR_WANT_WRITE:
                    // The socket waits; it was a signal, or that took too long.
                    if (Stopwatch.GetElapsedTime(start) >= Patience * 0.9)
                        throw Failed(Errno.ETIMEDOUT);
                    break;
                case SSL_ERROR_SYSCALL:
                    throw Failed(errno == 0 ? Errno.ECONNRESET : errno);
                default:
                    throw IsUnexpectedEnd ? Failed(Errno.ECONNRESET) : Refused(what);
            }
        }
    }

    private RepoFetchException Refused(string what)
    {
        nint verdict = SSL_get_verify_result(_session);
        if (verdict != X509_V_OK && Reason().Contains("certificate verify failed", StringComparison.Ordinal))
            return new RepoFetchException($"the server's certificate: {(verdict is X509_V_ERR_HOSTNAME_MISMATCH or X509_V_ERR_IP_ADDRESS_MISMATCH ? "host name does not match" : Text(X509_verify_cert_error_string(verdict)))}");
        string reason = Reason();
        return new RepoFetchException(what + (reason.EndsWith("alert certificate required", StringComparison.Ordinal) ? "the server asks for a client certificate" : reason));
    }

    private static void Check(int result, string host)
    {
        if (result != 1)
            throw new RepoFetchException($"TLS: '{host}' cannot be asked for: {Reason()}");
    }
}

/// <summary>An SSL.</summary>
internal sealed class TlsSession : SafeHandle
{
    public TlsSession(TlsContext context) : base(0, ownsHandle: true)
    {
        SetHandle(SSL_new(context));
        if (IsInvalid)
            throw new InsufficientMemoryException("TLS: no memory for a connection");
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        SSL_free(handle);
        return true;
    }
}
