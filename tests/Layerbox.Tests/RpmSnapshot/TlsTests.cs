using Layerbox.RpmSnapshot;
using Layerbox.RpmSnapshot.Http;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>https: who a server must be, and who we are.</summary>
public class TlsTests
{
    public static TheoryData<string, string, string, string?> Servers => new()
    {
        { "good", "127.0.0.1", "ca.pem", null },
        { "good", "localhost", "ca.pem", null },
        { "expired", "127.0.0.1", "ca.pem", "the server's certificate: certificate has expired" },
        { "other", "127.0.0.1", "ca.pem", "the server's certificate: host name does not match" },
        { "other", "localhost", "ca.pem", "the server's certificate: host name does not match" },
        { "stranger", "127.0.0.1", "ca.pem", "the server's certificate: unable to get local issuer certificate" },
        { "good", "127.0.0.1", "", "the server's certificate: unable to get local issuer certificate" },
        { "self-signed", "127.0.0.1", "ca.pem", "the server's certificate: self-signed certificate" },
        { "good", "127.0.0.1", "self.pem", "the server's certificate: unable to get local issuer certificate" },
        { "self-signed", "127.0.0.1", "self.pem", null },
    };

    [Fact]
    public async Task A_handshake_that_does_not_come_to_its_end_can_be_broken_off()
    {
        using System.Net.Sockets.TcpListener silent = new(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        using CancellationTokenSource cancel = new();
        using Connector connector = new(new ConnectionSettings(), new Transport { Patience = 2 * Patience.Limit }, cancel.Token);
        RepoUrl url = RepoUrl.Parse($"https://{silent.LocalEndpoint}/");
        Task connecting = Task.Run(() => connector.Connect(url, () => { }).Dispose(), TestContext.Current.CancellationToken);
        using System.Net.Sockets.Socket accepted = await silent.AcceptSocketAsync(TestContext.Current.CancellationToken);
        await accepted.ReceiveAsync(new byte[1], System.Net.Sockets.SocketFlags.None); // it has begun
        await cancel.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => connecting.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Servers))]
    public void Servers_must_be_who_they_should_be(string certificate, string host, string ca, string? error)
    {
        using TransportFixture fixture = new();
        TestCertificates.WriteAuthority(fixture.File("ca.pem"));
        TestCertificates.Write(fixture.File("self.pem"), TestCertificates.SelfSigned);
        using FaultyServer server = new((_, _) => null)
        {
            Certificate = certificate switch
            {
                "good" => TestCertificates.Good,
                "expired" => TestCertificates.Expired,
                "other" => TestCertificates.OfAnotherHost,
                "stranger" => TestCertificates.OfAStranger,
                _ => TestCertificates.SelfSigned,
            },
        };
        string url = $"{server.Url.Replace("127.0.0.1", host, StringComparison.Ordinal)}/t0";
        ConnectionSettings settings = new() { CaFile = ca.Length == 0 ? null : fixture.File(ca) };
        if (error is null)
        {
            fixture.Sync(settings, url);
            return;
        }
        Assert.StartsWith($"{url}/repodata/repomd.xml: ", fixture.AssertFails(settings, url, error), StringComparison.Ordinal);
        Assert.Empty(server.Asked);
        fixture.Sync(settings with { VerifiesTls = false }, url);
    }

    [Fact]
    public void The_systems_certificates_are_those_of_the_environment()
    {
        using TransportFixture fixture = new();
        using FaultyServer server = new((_, _) => null) { Certificate = TestCertificates.Good };
        string sync = $"'{Published.OrSkip()}' rpm-repo-snapshot sync --store '{fixture.Store.Path}' --repo x={server.Url}/t0";
        Assert.Contains("unable to get local issuer certificate", Programs.Shell($"{sync} 2>&1 || true"), StringComparison.Ordinal);
        Assert.Contains("\"snapshot\"", Programs.Shell($"SSL_CERT_FILE='{TestCertificates.WriteAuthority(fixture.File("ca.pem"))}' {sync}"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_proves_who_it_is()
    {
        using TransportFixture fixture = new();
        using FaultyServer server = new((_, _) => null) { Certificate = TestCertificates.Good, AsksForCertificate = true };
        ConnectionSettings anonymous = new() { CaFile = TestCertificates.WriteAuthority(fixture.File("ca.pem")) };
        fixture.AssertFails(anonymous, $"{server.Url}/t0", "/repodata/repomd.xml: ");
        ConnectionSettings known = anonymous with { ClientCertificate = TestCertificates.Write(fixture.File("client.pem"), TestCertificates.Client), ClientKey = TestCertificates.WriteKey(fixture.File("client.key"), TestCertificates.Client) };
        fixture.Sync(known, $"{server.Url}/t0");
    }

    [Theory]
    [InlineData("nowhere.pem", null, null, "nowhere.pem: open: No such file or directory")]
    [InlineData("junk.pem", null, null, "junk.pem: certificates: ")]
    [InlineData("ca.pem", "junk.pem", null, "junk.pem: client certificate: ")]
    [InlineData("ca.pem", "client.pem", "other.key", "other.key: client key: key values mismatch")]
    [InlineData("ca.pem", "client.pem", "locked.key", "locked.key: client key: keys with a passphrase are not supported")]
    public void Files_that_cannot_be_used_are_named(string ca, string? certificate, string? key, string expected)
    {
        using TransportFixture fixture = new();
        TestCertificates.WriteAuthority(fixture.File("ca.pem"));
        File.WriteAllText(fixture.File("junk.pem"), "junk\n");
        TestCertificates.Write(fixture.File("client.pem"), TestCertificates.Client);
        TestCertificates.WriteKey(fixture.File("other.key"), TestCertificates.Good);
        TestCertificates.WriteKey(fixture.File("locked.key"), TestCertificates.Client, "secret");
        ConnectionSettings settings = new() { CaFile = fixture.File(ca), ClientCertificate = certificate is null ? null : fixture.File(certificate), ClientKey = key is null ? null : fixture.File(key) };
        IOException error = Assert.ThrowsAny<IOException>(() => fixture.Try(settings, "https://127.0.0.1:1/"));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_TLS_is_told()
    {
        using TransportFixture fixture = new() { Transport = new Transport { Patience = TimeSpan.FromSeconds(20), Retries = 0 } };
        using FaultyServer plain = new((_, _) => null), tls = new((_, _) => null) { Certificate = TestCertificates.Good };
        fixture.AssertFails(new ConnectionSettings(), $"https{plain.Url[4..]}/t0", "TLS: wrong version number");
        fixture.AssertFails(new ConnectionSettings(), $"http{tls.Url[5..]}/t0", "the server ");
    }

    [Fact]
    public void A_redirect_does_not_leave_TLS()
    {
        using TransportFixture fixture = new();
        using FaultyServer plain = new((_, _) => null);
        using FaultyServer tls = new((path, _) => path.EndsWith("repomd.xml", StringComparison.Ordinal) ? null : FaultyServer.Answer($"302 Found\r\nLocation: {plain.Url}{path}", [])) { Certificate = TestCertificates.Good };
        RepoResult result = fixture.Try(new ConnectionSettings { CaFile = TestCertificates.WriteAuthority(fixture.File("ca.pem")) }, $"{tls.Url}/t0");
        Assert.Equal(RepoFixture.Metadata, result.Failures.Count);
        Assert.All(result.Failures, failure => Assert.Contains("is not of https, as the first URL is", failure.Reason, StringComparison.Ordinal));
        Assert.Empty(plain.Asked);
    }
}
