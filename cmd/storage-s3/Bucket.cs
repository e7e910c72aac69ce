using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Layerbox.StorageS3;

/// <summary>A bucket, and what can be asked of it by name.</summary>
internal sealed class Bucket(BucketUrl url, AmazonS3Client client, CancellationToken cancellation) : IDisposable
{
    /// <summary>How long a server may be silent in the middle of an answer.</summary>
    private static readonly TimeSpan s_silence = TimeSpan.FromMinutes(1);

    public BucketUrl Url => url;
    public AmazonS3Client Client => client;
    public CancellationToken Cancellation => cancellation;

    public static Bucket Open(BucketUrl url, CancellationToken cancellation) => new(url, new AmazonS3Client(S3Settings.Read()), cancellation);

    public void Dispose() => client.Dispose();

    /// <summary>Gives what is behind a name, piece by piece.</summary>
    /// <returns>False when there is nothing.</returns>
    public async Task<bool> Get(string name, Action<ReadOnlyMemory<byte>> take)
    {
        GetObjectResponse answer;
        try
        {
            answer = await client.GetObjectAsync(new GetObjectRequest { BucketName = url.Bucket, Key = url.KeyOf(name) }, cancellation);
        }
        catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchKey")
        {
            return false;
        }
        using (answer)
        using (CancellationTokenSource silence = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
        {
            byte[] buffer = new byte[1 << 18];
            long size = 0;
            while (true)
            {
                silence.CancelAfter(s_silence);
                int count = await Read(answer.ResponseStream, buffer, name, silence.Token);
                if (count == 0)
                    break;
                silence.CancelAfter(Timeout.InfiniteTimeSpan); // whoever takes it may take long
                take(buffer.AsMemory(0, count));
                size += count;
            }
            return size == answer.ContentLength ? true : throw new IOException($"{url.Show(name)}: the answer ended after {size} of {answer.ContentLength} bytes");
        }
    }

    private async Task<int> Read(Stream answer, byte[] buffer, string name, CancellationToken silence)
    {
        try
        {
            return await answer.ReadAsync(buffer, silence);
        }
        catch (AmazonClientException e)
        {
            // The SDK compares it at the end of an object of one part.
            throw new IOException($"{url.Show(name)}: damaged: its bytes do not have the MD5 that the server tells", e);
        }
    }

    public async Task<bool> Has(string name)
    {
        if (await SizeOf(name) is not null)
            return true;
        // This answer has no words: nothing there, or not even a bucket.
        try
        {
            await client.HeadBucketAsync(new HeadBucketRequest { BucketName = url.Bucket }, cancellation);
            return false;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound)
        {
            throw new IOException($"the bucket {url.Bucket} does not exist", e);
        }
    }

    /// <summary>How many bytes are behind a name; null when there is none, or no bucket.</summary>
    public async Task<long?> SizeOf(string name)
    {
        try
        {
            return (await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = url.Bucket, Key = url.KeyOf(name) }, cancellation)).ContentLength;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Gives all names that begin with a text, a page at a time.</summary>
    public async Task List(string prefix, Action<string> found, Action endOfPage)
    {
        ListObjectsV2Request request = new() { BucketName = url.Bucket, Prefix = url.KeyOf(prefix) };
        do
        {
            ListObjectsV2Response page = await client.ListObjectsV2Async(request, cancellation);
            foreach (S3Object one in page.S3Objects ?? [])
                if (!one.Key.Contains('\n', StringComparison.Ordinal))
                    found(one.Key[url.Prefix.Length..]);
            endOfPage();
            request.ContinuationToken = page.NextContinuationToken;
        }
        while (request.ContinuationToken is not null);
    }

    public Task Delete(string name) => client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = url.Bucket, Key = url.KeyOf(name) }, cancellation);
}
