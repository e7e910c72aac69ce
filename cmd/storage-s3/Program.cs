using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Layerbox.Posix;
using Layerbox.StorageS3;

const int Done = 0, No = 1, Trouble = 2, Internal = 70;
const string Self = "layerbox-storage-s3", UrlVariable = "STORAGE_URL";

StandardStreams.Reserve();
Certificates.Find();
using CancellationTokenSource interrupted = new();
using PosixSignalRegistration interrupt = OnSignal(PosixSignal.SIGINT), end = OnSignal(PosixSignal.SIGTERM), hangup = OnSignal(PosixSignal.SIGHUP);
try
{
    return await Run();
}
catch (Exception e)
{
    // One line, whatever the server said: who started us tells its user the last one.
    string? reason = interrupted.IsCancellationRequested ? "interrupted" : Reasons.Of(e);
    Tell(reason ?? $"internal error: {e.GetType().Name}: {e.Message}");
    return reason is null ? Internal : Trouble;
}

async Task<int> Run()
{
    if (args is ["--help" or "-h", ..])
        return Print(Help());
    if (args is ["--version", ..])
        return Print(Versions());
    if (args is not ([_, _] or [_, _, _]))
        return Usage($"{args.Length} arguments; there are two, a verb and a name, after the URL of a bucket");
    string? url = args.Length == 3 ? args[0] : Environment.GetEnvironmentVariable(UrlVariable);
    if (string.IsNullOrEmpty(url))
        return Usage($"which bucket: neither an argument before the verb nor {UrlVariable} says so");
    string verb = args[^2], name = args[^1];
    if (verb is not ("put" or "get" or "has" or "list" or "delete"))
        return Usage($"'{verb}' is no verb: put, get, has, list, delete");
    using Bucket bucket = Bucket.Open(BucketUrl.Parse(url), interrupted.Token);
    FdStream.StandardInput.Cancellation = interrupted.Token;
    switch (verb)
    {
        case "put":
            await new Upload(bucket, name).Run(FdStream.StandardInput);
            return Done;
        case "get":
            return await bucket.Get(name, bytes => FdStream.StandardOutput.Write(bytes.Span)) ? Done : No;
        case "has":
            return await bucket.Has(name) ? Done : No;
        case "list":
            StringBuilder page = new();
            await bucket.List(name, found => page.Append(found).Append('\n'), () =>
            {
                FdStream.StandardOutput.Write(Encoding.UTF8.GetBytes(page.ToString()));
                page.Clear();
            });
            return Done;
        default:
            await bucket.Delete(name);
            return Done;
    }
}

PosixSignalRegistration OnSignal(PosixSignal signal) => PosixSignalRegistration.Create(signal, context =>
{
    context.Cancel = true;
    interrupted.Cancel();
});

int Usage(string reason)
{
    Tell(reason, $"Try '{Self} --help' for more information.");
    return Trouble;
}

int Print(string text)
{
    FdStream.StandardOutput.Write(Encoding.UTF8.GetBytes(text));
    return Done;
}

void Tell(string reason, string more = "")
{
    try
    {
        FdStream.StandardError.Write(Encoding.UTF8.GetBytes($"{Self}: {reason}\n{(more.Length > 0 ? $"{more}\n" : "")}"));
    }
    catch (IOException)
    {
        // Nobody is left to be told: the exit status speaks.
    }
}

string Versions()
{
    long ssl = SafeEvpPKeyHandle.OpenSslVersion;
    return $"""
        {Self} {ThreeParts(typeof(Bucket).Assembly)}
        {RuntimeInformation.FrameworkDescription}
        AWS SDK for .NET: AWSSDK.S3 {FileVersion(typeof(Amazon.S3.AmazonS3Client).Assembly)}, AWSSDK.Core {FileVersion(typeof(Amazon.AWSConfigs).Assembly)} (Apache-2.0, copyright Amazon.com, Inc. or its affiliates)
        OpenSSL {ssl >> 28 & 0xF}.{ssl >> 20 & 0xFF}.{ssl >> 4 & 0xFF}
        glibc {StandardStreams.LibcVersion}

        """;
}

static string ThreeParts(Assembly assembly) => assembly.GetName().Version!.ToString(3);

static string FileVersion(Assembly assembly) => assembly.GetCustomAttribute<AssemblyFileVersionAttribute>()?.Version ?? ThreeParts(assembly);

static string Help() => $"""
    Usage: {Self} [s3://BUCKET[/PREFIX]] VERB NAME

    Keeps files by name in a bucket of S3, or of any other server that speaks it. This is what "rpm-repo-snapshot --storage s3://BUCKET/PREFIX" runs, once a file.

    Verbs:
      put NAME      Keep what comes on standard input, whole or not at all. A name that is there stays as it is: with other bytes it is refused.
      get NAME      Write it to standard output. Exit status 1: there is none.
      has NAME      Exit status 0: it is there; 1: it is not.
      list PREFIX   Print all names that begin so, a line each.
      delete NAME   Take it away, if it is there.

    Any other exit status is trouble, and one line on standard error says what it is.

    Environment:
      {UrlVariable}            Which bucket, where no argument says so: for "--storage command:{Self}".
      AWS_ENDPOINT_URL       The server, such as http://127.0.0.1:9000; also AWS_ENDPOINT_URL_S3, or endpoint_url of a profile. Without it Amazon's.
      AWS_REGION             The region, or AWS_DEFAULT_REGION, or a profile's; with an endpoint of one's own it is us-east-1 where nothing says otherwise.
      AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
                             Who we are; or AWS_PROFILE and ~/.aws/credentials, or what a machine of Amazon's is told.
      {S3Settings.StyleVariable}       path: the bucket stands in the path, as most servers but Amazon's want it; the default with an endpoint.
                             virtual: it stands in the host's name; the default without.
      AWS_CA_BUNDLE          Certificates to trust, in place of the system's.
      AWS_MAX_ATTEMPTS       How often a request is tried.

    Example:
      export AWS_ENDPOINT_URL=https://s3.example.org AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…
      rpm-repo-snapshot push today --store /srv/rpm --storage s3://backup/rpm
      {Self} s3://backup/rpm list snapshots/

    """;
