using System.Globalization;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot.Http;

namespace Layerbox.RpmSnapshot;

/// <summary>Brings files that metadata names into the store, one after the other, for one thread. What comes of a file before it fails is gone on with, at the next mirror or in the next run.</summary>
/// <param name="received">Told of bytes as they come.</param>
internal sealed class FileDownload(SnapshotStore store, Connector connector, Throttle? throttle, Action<int> received) : IDisposable
{
    private const long MaxUnsaid = 16L << 30; // bytes of a file whose size the metadata does not say
    private const long VersionedFrom = 1 << 20; // of smaller files it is not worth to remember the version

    private readonly RepoConnection _connection = new(connector);
    private readonly byte[] _buffer = new byte[throttle?.Portion ?? 128 * 1024];

    /// <summary>Fetches a file from the first mirror that has it.</summary>
    /// <returns>Whether it is in the store.</returns>
    public bool Fetch(Wanted wanted, Inquiry inquiry)
    {
        using ObjectWriter writer = store.NewObject(wanted.Checksum);
        // The one before us was stopped after the last byte.
        if (writer.Size > 0 && writer.Size == wanted.Size && writer.Finish(wanted.Checksum) is not null)
            return true;
        if (writer.Size >= (wanted.Size ?? MaxUnsaid))
            writer.Restart();
        return inquiry.Ask(mirror => mirror.Locate(wanted.Location), (_, url) =>
        {
            Fetch(url, wanted, writer);
            return null;
        });
    }

    public void Dispose() => _connection.Dispose();

    private void Fetch(RepoUrl url, Wanted wanted, ObjectWriter writer)
    {
        while (true)
        {
            bool isResumed = Receive(url, wanted, writer);
            if (writer.Finish(wanted.Checksum) is not null)
                return;
            // What there was of it may be of another version: then once more, from its beginning.
            if (!isResumed)
                throw new RepoFetchException(writer.Found is { } found ? $"is {found}, which should be {wanted.Checksum}" : $"a checksum of type {RpmDigest.NameOf(wanted.Checksum.Algorithm)} cannot be computed");
        }
    }

    /// <summary>Receives what is missing; returns whether that was not all of it.</summary>
    private bool Receive(RepoUrl url, Wanted wanted, ObjectWriter writer)
    {
        string prefix = $"{url}\n";
        string? version = writer.Size > 0 ? writer.Version : null;
        using RepoAnswer answer = _connection.Ask(new RepoAsk(url) { From = writer.Size, IfRange = version?.StartsWith(prefix, StringComparison.Ordinal) == true ? version[prefix.Length..] : null });
        if (answer.From == 0)
            writer.Restart();
        if (answer.Size is { } said && wanted.Size is { } size && said != size)
            throw Wrong(said, size);
        // Only a strong one stands for the very bytes.
        if (answer.ETag is { } tag && tag.StartsWith('"') && (answer.Size ?? 0) >= VersionedFrom)
            writer.Version = prefix + tag;
        long most = wanted.Size ?? MaxUnsaid;
        while (answer.Body.Read(_buffer) is var count and > 0)
        {
            if (writer.Size + count > most)
            {
                writer.Restart();
                throw new RepoFetchException(string.Create(CultureInfo.InvariantCulture, $"has more than {most} bytes"));
            }
            writer.Write(_buffer.AsSpan(0, count));
            received(count);
            throttle?.Took(count, connector.Cancellation);
            connector.Cancellation.ThrowIfCancellationRequested();
        }
        if (wanted.Size is { } all && writer.Size != all)
        {
            RepoFetchException wrong = Wrong(writer.Size, all, isPassing: !answer.SaysItsEnd);
            if (!wrong.IsPassing)
                writer.Restart();
            throw wrong;
        }
        return answer.From > 0;
    }

    private static RepoFetchException Wrong(long found, long wanted, bool isPassing = false) =>
        new(string.Create(CultureInfo.InvariantCulture, $"has {found} bytes, which should be {wanted}"), isPassing);
}
