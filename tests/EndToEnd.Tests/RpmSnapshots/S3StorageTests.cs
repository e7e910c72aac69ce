using System.Text.RegularExpressions;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>
/// --storage s3://… and the program behind it, layerbox-storage-s3, with a server that speaks S3. The program is the one beside the executable under test where
/// there is one; else that which is built for the test machine's own runtime, in PATH.
/// </summary>
public partial class S3StorageTests
{
    private const int Packages = 3;
    private const string Tool = "\"$L\" rpm-repo-snapshot", Storage = "--storage s3://bucket/some/prefix", NoServer = "http://127.0.0.1:1";
    private const int LargeSize = 70_000_000; // five parts

    [Fact]
    public void A_snapshot_goes_there_and_comes_back()
    {
        using TempFolder folder = new();
        using S3Server server = S3Server.Start(folder / "s3");
        RawRepositories.Write(folder / "repo", 0, Packages);
        string id = Must(folder, server.Endpoint, $"{Tool} sync --store first --repo x=file://$PWD/repo {Storage} --tag x > line; cut -d '\"' -f 4 line").Trim();
        Assert.Contains($"\"moved\":0,\"bytes\":0,\"present\":{Packages + 2}", Must(folder, server.Endpoint, $"{Tool} push x --store first {Storage}"), StringComparison.Ordinal);
        // The same by the protocol that any program may speak.
        Assert.Contains("\"moved\":0,\"bytes\":0", Must(folder, server.Endpoint, $"STORAGE_URL=s3://bucket/some/prefix/ {Tool} push x --store first --storage \"command:$S\""), StringComparison.Ordinal);
        Assert.Contains($"\"moved\":{Packages + 2},", Must(folder, server.Endpoint, $"{Tool} fetch {id} --store second {Storage} --tag x"), StringComparison.Ordinal);
        Must(folder, server.Endpoint, $"{Tool} verify --store second; {Tool} export x --store second --into out; diff -r out/x repo");

        // What gc removed is to be had again.
        RawRepositories.Write(folder / "new", 100, Packages);
        Must(folder, server.Endpoint, $"{Tool} sync --store second --repo x=file://$PWD/new; {Tool} untag x --store second; {Tool} gc --store second --grace 0h; ! {Tool} show {id} --store second 2> none");
        Assert.Contains($"\"moved\":{Packages + 2},", Must(folder, server.Endpoint, $"{Tool} fetch {id} --store second {Storage}; {Tool} verify --store second"), StringComparison.Ordinal);

        // What is on demand is served as if it were here.
        Assert.Contains($"\"on_demand\":{Packages}}}", Must(folder, server.Endpoint, $"{Tool} fetch {id} --store third {Storage} --on-demand --tag x"), StringComparison.Ordinal);
        Must(folder, server.Endpoint, """
            mkfifo line3; "$L" rpm-repo-serve x --store third > line3 & server=$!; trap 'kill $server' EXIT
            url=$(head -n 1 line3 | sed 's/.*"url":"\([^"]*\)".*/\1/')
            for i in 0 1 2; do python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' "$url$i.rpm" | cmp - repo/$i.rpm; done
            """);
        Assert.DoesNotContain("on_demand", Must(folder, server.Endpoint, $"{Tool} verify --store third"), StringComparison.Ordinal);
    }

    [Fact]
    public void Says_what_is_wrong_in_one_line()
    {
        using TempFolder folder = new();
        using S3Server server = S3Server.Start(folder / "s3");
        RawRepositories.Write(folder / "repo", 0, Packages);
        string sync = $"{Tool} sync --store none --repo x=file://$PWD/repo", push = $"{Tool} push x --store first";
        string id = Must(folder, server.Endpoint, $"{Tool} sync --store first --repo x=file://$PWD/repo {Storage} --tag x > line; cut -d '\"' -f 4 line").Trim();

        AssertTold(folder, server.Endpoint, "some/prefix list objects/: exit status 2: layerbox-storage-s3: The AWS Access Key Id you provided does not exist in our records (InvalidAccessKeyId)",
            $"export AWS_ACCESS_KEY_ID=nobody; {push} {Storage}", $"export AWS_ACCESS_KEY_ID=nobody; {sync} {Storage}");
        AssertTold(folder, server.Endpoint, "The AWS Access Key Id you provided does not exist in our records", $"export AWS_ACCESS_KEY_ID=nobody; {Tool} fetch {id} --store none {Storage}");
        AssertTold(folder, server.Endpoint, "layerbox-storage-s3: no credentials: neither AWS_ACCESS_KEY_ID", $"unset AWS_ACCESS_KEY_ID; {push} {Storage}");
        AssertTold(folder, server.Endpoint, "The specified bucket does not exist (NoSuchBucket)", $"{push} --storage s3://other/x", $"{sync} --storage s3://other/x", $"{Tool} fetch {id} --store none --storage s3://other/x");
        AssertTold(folder, server.Endpoint, ": it has no snapshot ", $"{Tool} fetch {id} --store none --storage s3://bucket/else");
        AssertTold(folder, server.Endpoint, "between single slashes are what a bucket and a prefix may have", $"{push} --storage s3://bucket/..");
        AssertTold(folder, NoServer, "layerbox-storage-s3: Connection refused (127.0.0.1:1)", $"{push} {Storage}", $"{sync} {Storage}");
        AssertTold(folder, "nonsense", "'nonsense': an endpoint begins with https:// or http://", $"{push} {Storage}");

        // Damage: some bytes are others. The server's digest may have been computed before that, or after.
        string digest = Must(folder, "", "sha256sum < repo/1.rpm | cut -c -64").Trim(), name = $"objects/sha256/{digest[..2]}/{digest}", file = $"{server.Objects}/some/prefix/{name}._S3rver_object";
        Must(folder, "", $"printf XXX | dd of={file} conv=notrunc status=none");
        AssertTold(folder, server.Endpoint, $"layerbox-storage-s3: s3://bucket/some/prefix/{name}: damaged: its bytes do not have the MD5 that the server tells", $"{Tool} fetch {id} --store other {Storage}");
        Must(folder, "", $"md5sum < {file} | cut -c -32 | tr -d '\n' > {file}.md5");
        AssertTold(folder, server.Endpoint, $"s3://bucket/some/prefix: {name}: its sha256 is ", $"{Tool} fetch {id} --store other {Storage}");
        AssertVerb(folder, server.Endpoint, 2, $"layerbox-storage-s3: s3://bucket/some/prefix/{name}: it is there with other bytes, and stays as it is; delete it first\n", $"put {name} < repo/1.rpm");
        Must(folder, server.Endpoint, $"s3 delete {name}; {push} {Storage}; {Tool} fetch {id} --store other {Storage}; {Tool} verify --store other");
        Must(folder, "", $"{Tool} verify --store first");
    }

    [Fact]
    public void Does_what_each_verb_says()
    {
        using TempFolder folder = new();
        using S3Server server = S3Server.Start(folder / "s3");
        Assert.Equal("y\n0 1 0 1\n", Must(folder, server.Endpoint, "echo y | s3 put a/b; s3 get a/b; s3 has a/b; there=$?; s3 has a/c || no=$?; s3 delete a/b; gone=$?; s3 get a/b || none=$?; s3 delete a/b; echo $there $no $gone $none"));
        Assert.Equal("a/b\na/c/d\nab\n\na/c/d\n", Must(folder, server.Endpoint, "for name in a/b a/c/d ab b; do : | s3 put $name; done; s3 list a; s3 list no; echo; s3 list a/c; s3 get a/b"));

        // More than there are in one answer of the server.
        Assert.Equal("1203\n", Must(folder, server.Endpoint, $"cd {server.Objects}/some/prefix; for part in object object.md5 metadata.json; do for i in $(seq 1200); do ln a/b._S3rver_$part a/$i._S3rver_$part; done; done; s3 list a | wc -l"));

        // Parts, from a file and from a pipe that is slow; a name that is there stays.
        Must(folder, server.Endpoint, $"""
            head -c {LargeSize} /dev/urandom > large
            s3 put large < large; s3 get large | cmp - large
            (head -c 20000000 large; sleep 0.3; tail -c +20000001 large) | s3 put large
            cat large | s3 put large2; s3 get large2 | cmp - large
            """);
        AssertVerb(folder, server.Endpoint, 2, "layerbox-storage-s3: s3://bucket/some/prefix/large: it is there with other bytes, and stays as it is; delete it first\n", "put large < <(cat large; echo)");
        Must(folder, server.Endpoint, "s3 get large | cmp - large");

        AssertVerb(folder, server.Endpoint, 2, "layerbox-storage-s3: standard output: write: No space left on device\n", "get large > /dev/full");
        AssertVerb(folder, server.Endpoint, 2, "layerbox-storage-s3: standard input: read: Is a directory\n", "put x < /");
        AssertVerb(folder, server.Endpoint, 2, "layerbox-storage-s3: 'move' is no verb: put, get, has, list, delete\nTry 'layerbox-storage-s3 --help' for more information.\n", "move x");
        AssertVerb(folder, NoServer, 2, "layerbox-storage-s3: Connection refused (127.0.0.1:1)\n", "has x");
        // A server that says nothing but its status to what has no body.
        Assert.Equal("layerbox-storage-s3: the bucket other does not exist\n2\n", Must(folder, server.Endpoint, "status=0; STORAGE_URL=s3://other s3 has x 2>&1 || status=$?; echo $status"));
    }

    /// <summary>What s3rver cannot: another is first, and parts that are of no use. The script answers as S3 does and writes down what it was asked.</summary>
    [Fact]
    public void Neither_overwrites_what_came_meanwhile_nor_leaves_parts()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "server.py", """
            import http.server, sys
            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = 'HTTP/1.1'
                def answer(self):
                    self.rfile.read(int(self.headers.get('Content-Length', 0)))
                    path, _, query = self.path.partition('?')
                    print(self.command, path, query, 'If-None-Match:', self.headers.get('If-None-Match'), file=open('asked', 'a'))
                    status, body = 200, b''
                    if self.command == 'HEAD': status = 404
                    elif self.command == 'POST' and query.startswith('uploads'): body = b'<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>'
                    elif self.command == 'PUT' and query and path.endswith('/b'): status, body = 403, b'<Error><Code>AccessDenied</Code><Message>Enough.</Message></Error>'
                    elif self.command == 'PUT' and not query: status, body = 412, b'<Error><Code>PreconditionFailed</Code><Message>It is there.</Message></Error>'
                    elif self.command == 'DELETE': status = 204
                    elif self.command == 'GET': body = b'first\n'
                    self.send_response(status)
                    if status != 204: self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    if self.command != 'HEAD': self.wfile.write(body)
                do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer
                def log_message(self, *args): pass
            server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
            print(server.server_port, flush=True)
            server.serve_forever()
            """);
        string output = Must(folder, "", """
            mkfifo port; python3 server.py > port & server=$!; trap 'kill $server' EXIT
            read -r number < port; export AWS_ENDPOINT_URL=http://127.0.0.1:$number
            echo first | s3 put a; echo $?
            echo other | s3 put a 2>&1 || echo $?
            head -c 20000000 /dev/zero | s3 put b 2>&1 || echo $?
            mkfifo in; "$S" put c < in 2>&1 & put=$!; exec 7> in; head -c 20000000 /dev/zero >&7
            until grep -q /c.partNumber <(tr ' ' . < asked); do kill -0 $put; sleep 0.05; done; kill $put; wait $put || echo $?
            cat asked
            """);
        Assert.Equal("""
            0
            layerbox-storage-s3: s3://bucket/some/prefix/a: it is there with other bytes, and stays as it is; delete it first
            2
            layerbox-storage-s3: Enough (AccessDenied)
            2
            layerbox-storage-s3: interrupted
            2
            HEAD a If-None-Match: None
            PUT a If-None-Match: *
            GET a If-None-Match: None
            HEAD a If-None-Match: None
            PUT a If-None-Match: *
            GET a If-None-Match: None
            HEAD b If-None-Match: None
            POST b uploads If-None-Match: None
            PUT b partNumber=1&uploadId=7 If-None-Match: None
            DELETE b uploadId=7 If-None-Match: None
            HEAD c If-None-Match: None
            POST c uploads If-None-Match: None
            PUT c partNumber=1&uploadId=7 If-None-Match: None
            DELETE c uploadId=7 If-None-Match: None

            """, Plain().Replace(output, " "));
    }

    [GeneratedRegex(" /bucket/some/prefix/|(?<=uploads)=|  ")]
    private static partial Regex Plain();

    private static void AssertTold(TempFolder folder, string endpoint, string expected, params string[] commands)
    {
        foreach (string command in commands)
        {
            (int status, string output, string errors) = Executable.Shell(Environment(endpoint) + command, folder.Path);
            Assert.Equal((2, ""), (status, output));
            string line = Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.StartsWith("rpm-repo-snapshot: s3://", line, StringComparison.Ordinal);
            Assert.Contains(expected, line, StringComparison.Ordinal);
        }
    }

    private static void AssertVerb(TempFolder folder, string endpoint, int status, string errors, string arguments) =>
        Assert.Equal((status, "", errors), Executable.Shell($"{Environment(endpoint)}s3 {arguments}", folder.Path));

    private static string Must(TempFolder folder, string endpoint, string script) => Executable.Must($"{Environment(endpoint)}set -e -o pipefail; {script}", folder.Path);

    private static string Environment(string endpoint)
    {
        string beside = Path.GetDirectoryName(Executable.Path)!, built = Repository.PathOf("artifacts", "bin", "storage-s3", "debug_linux-x64");
        string program = Path.Combine(File.Exists(Path.Combine(beside, "layerbox-storage-s3")) ? beside : built, "layerbox-storage-s3");
        return $$"""
            unset ${!AWS_*}; export HOME=$PWD AWS_EC2_METADATA_DISABLED=true AWS_MAX_ATTEMPTS=1 PATH=$PATH:{{built}} S={{program}} STORAGE_URL=s3://bucket/some/prefix
            export AWS_ENDPOINT_URL={{endpoint}} AWS_ACCESS_KEY_ID={{S3Server.Key}} AWS_SECRET_ACCESS_KEY={{S3Server.Key}}
            s3() { "$S" "$@"; }

            """;
    }
}
