using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>A server that speaks S3, on loopback: s3rver, which npm fetches. It has one bucket, called "bucket", and the files of its objects are in a folder.</summary>
internal sealed partial class S3Server : IDisposable
{
    /// <summary>The only one that it knows. It looks at who signed a request, not at the signature.</summary>
    public const string Key = "S3RVER";

    private const string Package = "s3rver@3.7.1";
    private const string SystemCertificates = "/etc/ssl/certs/ca-certificates.crt";

    private readonly Process _process;

    private S3Server(Process process, string port, string folder)
    {
        _process = process;
        Endpoint = $"http://127.0.0.1:{port}";
        Objects = Path.Combine(folder, "bucket");
    }

    public string Endpoint { get; }

    /// <summary>Where it keeps what is in the bucket: NAME._S3rver_object.</summary>
    public string Objects { get; }

    /// <summary>The server, which listens; or skips the test with the reason.</summary>
    public static S3Server Start(string folder)
    {
        foreach (string program in (string[])["node", "npm"])
            Assert.SkipUnless(Programs.Try("bash", "-c", $"command -v {program}").Status == 0, $"needs {program}, which is not there");
        // What it makes the second page of a listing of is a cipher of old.
        Process process = Process.Start(new ProcessStartInfo("node", ["--openssl-legacy-provider", Path.Combine(Modules(), "node_modules/s3rver/bin/s3rver.js"), "--port", "0", "--address", "127.0.0.1", "--directory", folder, "--configure-bucket", "bucket"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        process.BeginErrorReadLine();
        while (process.StandardOutput.ReadLine() is { } line)
            if (Listening().Match(line) is { Success: true } match)
            {
                _ = process.StandardOutput.ReadToEndAsync(); // what nobody reads would stop it
                return new S3Server(process, match.Groups[1].Value, folder);
            }
        throw new InvalidOperationException("s3rver ended before it listened");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    // Kept for the next run: npm takes its time. It writes the list of what it has put there last.
    private static string Modules()
    {
        string modules = Repository.PathOf("artifacts", "s3rver");
        if (File.Exists(Path.Combine(modules, "node_modules", ".package-lock.json")))
            return modules;
        // Node comes with a list of its own of whom to trust, and knows nothing of what this machine trusts besides.
        string trusted = Environment.GetEnvironmentVariable("NODE_EXTRA_CA_CERTS") ?? (File.Exists(SystemCertificates) ? SystemCertificates : "");
        (int status, string output, string errors) = Programs.Try("env", $"NODE_EXTRA_CA_CERTS={trusted}", "timeout", "300",
            "npm", "install", "--prefix", modules, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", Package);
        string[] said = (errors + output).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        // The first lines are codes; "request to https://… failed, reason: …" is what somebody can use.
        Assert.SkipUnless(status == 0, string.Create(CultureInfo.InvariantCulture, $"npm cannot fetch {Package}: exit status {status}: {said.FirstOrDefault(line => line.Contains("reason:")) ?? said.FirstOrDefault()}"));
        return modules;
    }

    [GeneratedRegex("listening on 127\\.0\\.0\\.1:([0-9]+)")]
    private static partial Regex Listening();
}
