using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>scripts/storage-s3 with a server that speaks S3: s3rver, which npm fetches.</summary>
public partial class S3StorageTests
{
    private const string Server = "s3rver@3.7.1", Key = "S3RVER"; // the only one that it knows
    private const int Packages = 6;

    private const string Tool = "\"$L\" rpm-repo-snapshot";

    [Fact]
    public void A_snapshot_goes_there_and_comes_back()
    {
        using TempFolder folder = new();
        using Process server = Start(folder, out int port);
        try
        {
            RawRepositories.Write(folder / "repo", 0, Packages);
            string endpoint = $"http://127.0.0.1:{port}";
            string id = Must(folder, endpoint, $"{Tool} sync --store first --repo x=file://$PWD/repo --storage \"$S\" --tag x > line; cut -d '\"' -f 4 line").Trim();
            Assert.Contains($"\"moved\":0,\"bytes\":0,\"present\":{Packages + 2}", Must(folder, endpoint, $"{Tool} push x --store first --storage \"$S\""), StringComparison.Ordinal);
            Assert.Contains($"\"moved\":{Packages + 2},", Must(folder, endpoint, $"{Tool} fetch {id} --store second --storage \"$S\" --tag x"), StringComparison.Ordinal);
            Must(folder, endpoint, $"{Tool} verify --store second; {Tool} export x --store second --into out; diff -r out/x repo");

            // What is on demand is served as if it were here.
            Assert.Contains($"\"on_demand\":{Packages}}}", Must(folder, endpoint, $"{Tool} fetch {id} --store third --storage \"$S\" --on-demand --tag x"), StringComparison.Ordinal);
            Must(folder, endpoint, """
                mkfifo line3; "$L" rpm-repo-serve x --store third > line3 & server=$!; trap 'kill $server' EXIT
                url=$(head -n 1 line3 | sed 's/.*"url":"\([^"]*\)".*/\1/')
                for i in 0 1 2 3 4 5; do python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' "$url$i.rpm" | cmp - repo/$i.rpm; done
                """);
            Assert.DoesNotContain("on_demand", Must(folder, endpoint, $"{Tool} verify --store third"), StringComparison.Ordinal);

            // And each verb by itself.
            Assert.Equal("y\n0 1 0 1\n", Must(folder, endpoint, "s=${S#command:}; echo y | $s put a/b; $s get a/b; $s has a/b; there=$?; $s has a/c || no=$?; $s delete a/b; gone=$?; $s get a/b || none=$?; echo $there $no $gone $none"));

            AssertTold(folder, endpoint, "nobody", "does not exist in our records", $"{Tool} push x --store first --storage \"$S\"", $"{Tool} fetch {id} --store fourth --storage \"$S\"");
        }
        finally
        {
            server.Kill();
            server.WaitForExit();
        }
        AssertTold(folder, $"http://127.0.0.1:{port}", Key, "connection refused", $"{Tool} push x --store first --storage \"$S\"", $"{Tool} sync --store fourth --repo x=file://$PWD/repo --storage \"$S\"");
        Must(folder, "", $"{Tool} verify --store first; {Tool} verify --store fourth; test -z \"$({Tool} list --store fourth)\"");
    }

    /// <summary>One line says what is wrong.</summary>
    private static void AssertTold(TempFolder folder, string endpoint, string key, string expected, params string[] commands)
    {
        foreach (string command in commands)
        {
            (int status, string output, string errors) = Executable.Shell(Environment(endpoint, key) + command, folder.Path);
            Assert.Equal((2, ""), (status, output));
            string line = Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.StartsWith($"rpm-repo-snapshot: {Repository.PathOf("scripts", "storage-s3")} ", line, StringComparison.Ordinal);
            Assert.Contains(expected, line, StringComparison.Ordinal);
        }
    }

    private static string Must(TempFolder folder, string endpoint, string script) => Executable.Must("set -e; " + Environment(endpoint, Key) + script, folder.Path);

    // rclone of Debian 12 does not get along with certificates that the environment names.
    private static string Environment(string endpoint, string key) => $"""
        unset AWS_CA_BUNDLE; export RCLONE_CONFIG=/dev/null RCLONE_CONFIG_TEST_TYPE=s3 RCLONE_CONFIG_TEST_PROVIDER=Other RCLONE_CONFIG_TEST_ENDPOINT={endpoint}
        export RCLONE_CONFIG_TEST_ACCESS_KEY_ID={key} RCLONE_CONFIG_TEST_SECRET_ACCESS_KEY={Key} STORAGE_REMOTE=TEST:bucket/some/prefix; S=command:{Repository.PathOf("scripts", "storage-s3")}

        """;

    /// <summary>The server, which listens; or skips the test with the reason.</summary>
    private static Process Start(TempFolder folder, out int port)
    {
        foreach (string program in (string[])["node", "npm", "rclone"])
            Assert.SkipUnless(Programs.Try("bash", "-c", $"command -v {program}").Status == 0, $"needs {program}, which is not there");
        // Kept for the next run: npm takes its time. It writes the list of what it has put there last.
        string modules = Repository.PathOf("artifacts", "s3rver");
        if (!File.Exists(Path.Combine(modules, "node_modules", ".package-lock.json")))
        {
            (int status, string output, string errors) = Programs.Try("timeout", "300", "npm", "install", "--prefix", modules, "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", Server);
            Assert.SkipUnless(status == 0, $"npm cannot fetch {Server}: exit status {status}: {(errors + output).Trim().Split('\n')[0]}");
        }
        Process server = Process.Start(new ProcessStartInfo("node", [Path.Combine(modules, "node_modules/s3rver/bin/s3rver.js"), "--port", "0", "--address", "127.0.0.1", "--directory", folder / "s3", "--configure-bucket", "bucket"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        server.BeginErrorReadLine();
        while (server.StandardOutput.ReadLine() is { } line)
            if (Listening().Match(line) is { Success: true } match)
            {
                port = int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
                _ = server.StandardOutput.ReadToEndAsync(); // what nobody reads would stop it
                return server;
            }
        throw new InvalidOperationException("s3rver ended before it listened");
    }

    [GeneratedRegex("listening on 127\\.0\\.0\\.1:([0-9]+)")]
    private static partial Regex Listening();
}
