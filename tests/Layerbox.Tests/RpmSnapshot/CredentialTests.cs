using System.Text;
using Layerbox.RpmSnapshot;
using Layerbox.RpmSnapshot.Http;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Who we are, to whom that is told, and through whom.</summary>
public class CredentialTests
{
    private const string User = "ann", Password = "s3cret:é";
    private static readonly string s_basic = $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{Password}"))}";

    [Fact]
    public void Credentials_go_to_the_server_that_they_are_for()
    {
        using TransportFixture fixture = new();
        using FaultyServer server = new(request => request.Header("Authorization") == s_basic ? null : FaultyServer.Answer("401 Who are you\r\nContent-Length: 0", []));
        string anonymous = fixture.AssertFails(new ConnectionSettings(), $"{server.Url}/t0", "the server says 401 Who are you");
        string wrong = fixture.AssertFails(Settings(server.Url) with { Credentials = new Credentials(User, "wr0ng") }, $"{server.Url}/t0", "the server says 401 Who are you");
        Assert.Equal(anonymous, wrong);
        fixture.Sync(Settings(server.Url), $"{server.Url}/t0");
        Assert.All(server.Asked.Skip(2), request => Assert.Equal("tester/1", request.Header("User-Agent")));
    }

    [Fact]
    public void Credentials_go_nowhere_else()
    {
        using TransportFixture fixture = new();
        using FaultyServer elsewhere = new((_, _) => null);
        using FaultyServer server = new((path, _) => path.EndsWith(".rpm", StringComparison.Ordinal) ? FaultyServer.Answer($"302 Moved\r\nContent-Length: 0\r\nLocation: {elsewhere.Url}{path}", []) : null);
        using FaultyServer mirror = new((path, _) => path.Contains("apple", StringComparison.Ordinal) ? null : FaultyServer.Answer("404 Gone\r\nContent-Length: 0", []));
        fixture.Sync(Settings(server.Url), $"{mirror.Url}/t0", $"{server.Url}/t0");
        Assert.All(server.Asked, request => Assert.Equal(s_basic, request.Header("Authorization")));
        Assert.NotEmpty(elsewhere.Asked);
        Assert.NotEmpty(mirror.Asked);
        Assert.All(elsewhere.Asked.Concat(mirror.Asked), request => Assert.Null(request.Header("Authorization")));
    }

    [Fact]
    public void No_text_shows_a_password()
    {
        Assert.DoesNotContain(Password, Settings("http://example.org").ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Password, new RepoRequest("x", [RepoUrl.Parse("http://example.org")], Settings("http://example.org") with { ProxyCredentials = new Credentials(User, Password) }).ToString(), StringComparison.Ordinal);
        using TransportFixture fixture = new();
        IOException error = Assert.Throws<IOException>(() => fixture.Try(new ConnectionSettings { Proxy = $"https://{User}:{Password}@127.0.0.1:1" }, "http://127.0.0.1:1/"));
        Assert.Equal("proxy: 'https://' is no proxy of http://, which is the only kind there is", error.Message);
        error = Assert.Throws<IOException>(() => fixture.Try(new ConnectionSettings { Proxy = $"http://{User}:{Password}@" }, "http://127.0.0.1:1/"));
        Assert.DoesNotContain("s3cret", error.Message, StringComparison.Ordinal);
        // As it should not be written: with characters that end the part it stands in.
        error = Assert.Throws<IOException>(() => fixture.Try(new ConnectionSettings { Proxy = $"http://{User}:s3/cret@127.0.0.1:x" }, "http://127.0.0.1:1/"));
        Assert.Equal("proxy: 'http://127.0.0.1:x': the port is no number from 1 to 65535", error.Message);
        foreach (string url in (string[])["ftp://u:s3cret@example.org/", "u:s3cret@example.org/", "http://u:s3 cret@example.org/", "https://u:s3cret@example.org:x/"])
        {
            string message = Assert.Throws<FormatException>(() => RepoUrl.Parse(url)).Message;
            Assert.Contains("@example.org/", message.Replace("example.org:x…", "@example.org/", StringComparison.Ordinal), StringComparison.Ordinal);
            Assert.DoesNotContain("cret", message, StringComparison.Ordinal);
        }
        string reason = fixture.AssertFails(new ConnectionSettings { Proxy = $"http://{User}:{Uri.EscapeDataString(Password)}@127.0.0.1:1" }, "http://example.org/", "connection refused");
        Assert.DoesNotContain("s3cret", reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData($"{User}:{Password}")]
    public void TLS_goes_through_a_tunnel(string? user)
    {
        using TransportFixture fixture = new();
        using TestProxy proxy = new() { User = user };
        using FaultyServer server = new((_, _) => null) { Certificate = TestCertificates.Good };
        ConnectionSettings settings = new() { CaFile = TestCertificates.WriteAuthority(fixture.File("ca.pem")), Proxy = proxy.Url };
        if (user is not null)
        {
            fixture.AssertFails(settings, $"{server.Url}/t0", "the proxy says 407 Who are you");
            settings = settings with { ProxyCredentials = new Credentials(User, Password) };
        }
        fixture.Sync(settings, $"{server.Url}/t0");
        Assert.All(proxy.Asked, line => Assert.Equal($"CONNECT {server.Url["https://".Length..]} HTTP/1.1", line));
        Assert.All(server.Asked, request => Assert.Null(request.Header("Proxy-Authorization")));
        // The certificate is still the server's, not the proxy's.
        fixture.AssertFails(settings, $"{server.Url.Replace("127.0.0.1", "nowhere.invalid", StringComparison.Ordinal)}/t0", "the server's certificate: host name does not match");
    }

    [Fact]
    public void Plain_requests_go_to_the_proxy()
    {
        using TransportFixture fixture = new();
        using FaultyServer proxy = new((_, _) => null);
        fixture.Sync(new ConnectionSettings { Proxy = proxy.Url, ProxyCredentials = new Credentials(User, Password) }, "http://nowhere.invalid/t0");
        Assert.All(proxy.Asked, request => Assert.StartsWith("http://nowhere.invalid/t0/", request.Path, StringComparison.Ordinal));
        Assert.All(proxy.Asked, request => Assert.Equal((s_basic, null, "nowhere.invalid"), (request.Header("Proxy-Authorization"), request.Header("Authorization"), request.Header("Host"))));
    }

    [Fact]
    public void The_environment_names_proxies()
    {
        using TransportFixture fixture = new();
        using TestProxy tunnel = new();
        using FaultyServer proxy = new((_, _) => null), server = new((_, _) => null) { Certificate = TestCertificates.Good };
        string sync = $"'{Published.OrSkip()}' rpm-repo-snapshot sync --retries 0 --store '{fixture.Store.Path}' --repo";
        Programs.Shell($"http_proxy=http://ann:s3cret@{proxy.Url["http://".Length..]} {sync} x=http://nowhere.invalid/t0");
        Assert.All(proxy.Asked, request => Assert.Equal($"Basic {Convert.ToBase64String("ann:s3cret"u8)}", request.Header("Proxy-Authorization")));
        Programs.Shell($"https_proxy={tunnel.Url} SSL_CERT_FILE='{TestCertificates.WriteAuthority(fixture.File("ca.pem"))}' {sync} x={server.Url}/t0");
        using FaultyServer direct = new((_, _) => null);
        Programs.Shell($"no_proxy=127.0.0.0/8 http_proxy=http://127.0.0.1:1 {sync} x={direct.Url}/t0");
        Assert.NotEmpty(tunnel.Asked);
    }

    [Theory]
    [InlineData("http://a.example.org/", "", false)]
    [InlineData("http://a.example.org/", "*", true)]
    [InlineData("http://a.example.org/", "example.org", true)]
    [InlineData("http://a.example.org/", ".example.org", true)]
    [InlineData("http://example.org/", ".example.org", true)]
    [InlineData("http://badexample.org/", "example.org", false)]
    [InlineData("http://a.EXAMPLE.org/", "x, A.example.ORG ,y", true)]
    [InlineData("http://a.example.org:8080/", "a.example.org:8080", true)]
    [InlineData("http://a.example.org/", "a.example.org:8080", false)]
    [InlineData("https://a.example.org/", "example.org:443", true)]
    [InlineData("http://10.1.2.3/", "10.0.0.0/8", true)]
    [InlineData("http://11.1.2.3/", "10.0.0.0/8,11.1.2.4", false)]
    [InlineData("http://[::1]:80/", "::1", true)]
    [InlineData("http://[::1]:80/", "[::1]", true)]
    public void Some_servers_are_asked_directly(string url, string list, bool expected) => Assert.Equal(expected, Proxy.IsExcepted(RepoUrl.Parse(url), list));

    private static ConnectionSettings Settings(string server) => new() { Credentials = new Credentials(User, Password), CredentialServers = [RepoUrl.Parse(server)], UserAgent = "tester/1" };
}
