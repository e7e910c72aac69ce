using System.Security.Authentication;
using Amazon.Runtime;

namespace Layerbox.StorageS3;

/// <summary>What went wrong, in a line.</summary>
internal static class Reasons
{
    /// <returns>Null when it is none of what can go wrong.</returns>
    public static string? Of(Exception exception)
    {
        // What the SDK wraps says more than its own words do.
        for (Exception? inner = exception; inner is not null; inner = inner.InnerException)
            if (inner is AuthenticationException || (inner is HttpRequestException && inner.InnerException is not AuthenticationException))
                return OneLine(inner.Message);
        return exception switch
        {
            // Answers without words: those to HEAD have none.
            AmazonServiceException { StatusCode: > 0 } e when e.ErrorCode is null or "" || e.ErrorCode == e.StatusCode.ToString() => $"the server answers {(int)e.StatusCode} {e.StatusCode}",
            AmazonServiceException { ErrorCode.Length: > 0 } e => $"{OneLine(e.Message)} ({e.ErrorCode})",
            // Four exceptions in one.
            AmazonClientException e when e.Message.StartsWith("Failed to resolve AWS credentials", StringComparison.Ordinal)
                => "no credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor a profile, nor the machine has any",
            AmazonClientException e when e.Message.Contains("AWSSDK.SecurityToken", StringComparison.Ordinal) || e.Message.Contains("AWSSDK.SSO", StringComparison.Ordinal)
                => "the profile asks for credentials that another service gives, which is not supported: hand them in by AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            OperationCanceledException => "the server did not answer in time",
            AmazonServiceException or AmazonClientException or IOException or FormatException => OneLine(exception.Message),
            _ => null,
        };
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[])['\r', '\n', '\t', ' '], StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.');
}
