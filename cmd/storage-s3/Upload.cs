using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;

namespace Layerbox.StorageS3;

/// <summary>
/// put: what comes on a stream becomes an object, whole or not at all. What is behind a name never changes: a name that is there stays, and other bytes are refused.
/// </summary>
internal sealed class Upload(Bucket bucket, string name)
{
    /// <summary>What is held in memory. There may be 10,000 parts, so this is also what limits an object: to 156 GiB.</summary>
    private const int PartSize = 16 << 20;

    private const string OnlyIfThereIsNone = "*"; // of If-None-Match

    private readonly string _key = bucket.Url.KeyOf(name);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _part = new byte[PartSize];
    private long _size;

    public async Task Run(Stream input)
    {
        int count = Fill(input);
        // Asked first, since not every server knows the condition that closes the gap between this and the end.
        bool isThere = await bucket.SizeOf(name) is not null || !(count < PartSize ? await PutWhole(count) : await PutParts(input, count));
        if (!isThere)
            return;
        while (Fill(input) > 0)
        {
            // For its digest alone.
        }
        byte[] wanted = _hash.GetHashAndReset();
        long size = 0;
        bool isSame = await bucket.Get(name, bytes =>
        {
            _hash.AppendData(bytes.Span);
            size += bytes.Length;
        });
        if (!isSame || size != _size || !wanted.AsSpan().SequenceEqual(_hash.GetHashAndReset()))
            throw new IOException($"{bucket.Url.Show(name)}: it is there with other bytes, and stays as it is; delete it first");
    }

    /// <returns>False when somebody else was first.</returns>
    private Task<bool> PutWhole(int count) => Conditionally(condition => bucket.Client.PutObjectAsync(new PutObjectRequest
    {
        BucketName = bucket.Url.Bucket,
        Key = _key,
        InputStream = new MemoryStream(_part, 0, count),
        UseChunkEncoding = false,
        IfNoneMatch = condition,
    }, bucket.Cancellation));

    /// <returns>False when somebody else was first.</returns>
    private async Task<bool> PutParts(Stream input, int count)
    {
        string id = (await bucket.Client.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = bucket.Url.Bucket, Key = _key }, bucket.Cancellation)).UploadId;
        bool isComplete = false;
        try
        {
            List<PartETag> parts = [];
            for (; count > 0; count = Fill(input))
            {
                UploadPartResponse part = await bucket.Client.UploadPartAsync(new UploadPartRequest
                {
                    BucketName = bucket.Url.Bucket,
                    Key = _key,
                    UploadId = id,
                    PartNumber = parts.Count + 1,
                    PartSize = count,
                    InputStream = new MemoryStream(_part, 0, count),
                    UseChunkEncoding = false,
                }, bucket.Cancellation);
                parts.Add(new PartETag(parts.Count + 1, part.ETag));
            }
            isComplete = await Conditionally(condition => bucket.Client.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
            {
                BucketName = bucket.Url.Bucket,
                Key = _key,
                UploadId = id,
                PartETags = parts,
                IfNoneMatch = condition,
            }, bucket.Cancellation));
            return isComplete;
        }
        finally
        {
            if (!isComplete)
                await Abort(id);
        }
    }

    // Parts that nobody puts together would be paid for until somebody finds them.
    private async Task Abort(string id)
    {
        try
        {
            await bucket.Client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = bucket.Url.Bucket, Key = _key, UploadId = id }, CancellationToken.None);
        }
        catch (Exception e) when (Reasons.Of(e) is not null)
        {
            // What failed before is what is told.
        }
    }

    /// <returns>False when the name is there by now.</returns>
    private static async Task<bool> Conditionally(Func<string?, Task> request)
    {
        try
        {
            await request(OnlyIfThereIsNone);
            return true;
        }
        catch (AmazonS3Exception e) when (e.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict)
        {
            return false;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.NotImplemented)
        {
            // A server that says so in place of looking away.
            await request(null);
            return true;
        }
    }

    /// <summary>As much as a part has, or what is left.</summary>
    private int Fill(Stream input)
    {
        int count = input.ReadAtLeast(_part, PartSize, throwOnEndOfStream: false);
        _hash.AppendData(_part, 0, count);
        _size += count;
        return count;
    }
}
