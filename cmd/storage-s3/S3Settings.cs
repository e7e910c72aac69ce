using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace Layerbox.StorageS3;

/// <summary>Where the server is and how it is spoken to, from the environment and the profiles that all of Amazon's programs read.</summary>
internal static class S3Settings
{
    public const string StyleVariable = "STORAGE_S3_STYLE";

    /// <summary>What is signed for where a server has no regions.</summary>
    private const string AnyRegion = "us-east-1";

    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(15);

    /// <summary>Of a whole request: a part may take its time on a slow line.</summary>
    private static readonly TimeSpan s_request = TimeSpan.FromMinutes(10);

    /// <exception cref="FormatException">A variable has a value that it cannot have.</exception>
    public static AmazonS3Config Read()
    {
        AmazonS3Config config = new()
        {
            ConnectTimeout = s_connect,
            Timeout = s_request,
            // Checksums in trailers are more than other servers understand. Each request's body is signed, so that the server compares it with its sha256.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        string? region = Variable("AWS_REGION") ?? Variable("AWS_DEFAULT_REGION");
        // The SDK's own look at these comes too late to know that there is one.
        string? endpoint = Variable("AWS_ENDPOINT_URL_S3") ?? Variable("AWS_ENDPOINT_URL") ?? config.ServiceURL;
        if (endpoint is not null && !(Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"))
            throw new FormatException($"'{endpoint}': an endpoint begins with https:// or http://");
        if (endpoint is not null)
        {
            config.ServiceURL = endpoint;
            config.AuthenticationRegion = region ?? FallbackRegionFactory.GetRegionEndpoint(includeInstanceMetadata: false)?.SystemName ?? AnyRegion;
        }
        else if (region is not null)
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        else if (config.RegionEndpoint is null)
            throw new FormatException("which server: neither AWS_ENDPOINT_URL nor AWS_REGION says so");
        config.ForcePathStyle = Variable(StyleVariable) switch
        {
            null => endpoint is not null,
            "path" => true,
            "virtual" => false,
            var other => throw new FormatException($"{StyleVariable}: '{other}' is neither path nor virtual"),
        };
        return config;
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
