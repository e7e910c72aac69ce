using System.Security.Cryptography;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>
/// The objects that answers are sent from. Each is compared with its digest before its first byte leaves, once for as long as the file stays untouched; one that
/// is wrong is told, and put aside. For the loop's thread alone.
/// </summary>
/// <param name="store">Where they are.</param>
/// <param name="work">Compares.</param>
/// <param name="complain">Told what is wrong with an object.</param>
internal sealed class ServedObjects(SnapshotStore store, ServerWork work, Action<string> complain) : IDisposable
{
    private const int MaxOpen = 256;
    private const int BufferSize = 256 * 1024;

    private readonly Dictionary<string, ServedObject> _open = new(StringComparer.Ordinal);
    private readonly LinkedList<ServedObject> _byUse = new();
    private readonly Dictionary<string, FileIdentity> _verified = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<Action<string?>>> _beingVerified = new(StringComparer.Ordinal);

    /// <summary>An object that may be sent.</summary>
    /// <param name="digest">Its sha256.</param>
    /// <param name="size">Its bytes.</param>
    /// <param name="problem">Why there is none: why it cannot be had, or null when it is not yet known to be good. <see cref="Verify"/> it then.</param>
    /// <returns>In use: the caller releases it.</returns>
    public ServedObject? TryUse(string digest, out long size, out string? problem)
    {
        size = 0;
        problem = null;
        ServedObject? found = Open(digest, ref problem);
        if (found is null)
            return null;
        FileStatus status = Files.Status(found.File);
        if (!_verified.TryGetValue(digest, out FileIdentity identity) || identity != FileIdentity.Of(status))
            return null;
        size = status.Size;
        return found.Use();
    }

    /// <summary>Has an object compared with its digest.</summary>
    /// <param name="digest">Its sha256.</param>
    /// <param name="then">Told later, on the loop, what is wrong with it; null when it is good.</param>
    public void Verify(string digest, Action<string?> then)
    {
        if (_beingVerified.TryGetValue(digest, out List<Action<string?>>? waiting))
        {
            waiting.Add(then);
            return;
        }
        string? problem = null;
        if (Open(digest, ref problem) is not { } found)
        {
            if (problem is not null)
            {
                work.Start(() => () => then(problem));
                return;
            }
            _beingVerified[digest] = [then];
            work.Start(() =>
            {
                string? failure = Bring(digest);
                return () => Brought(digest, failure);
            });
            return;
        }
        found.Use();
        _beingVerified[digest] = [then];
        work.Start(() =>
        {
            string? wrong = Compare(found.File, digest, out FileIdentity identity);
            return () => Finish(found, wrong, identity);
        });
    }

    public void Dispose()
    {
        foreach (ServedObject served in _open.Values)
            served.Release();
        _open.Clear();
    }

    private ServedObject? Open(string digest, ref string? problem)
    {
        if (_open.TryGetValue(digest, out ServedObject? served))
        {
            if (_byUse.First != served.Place)
            {
                _byUse.Remove(served.Place!);
                _byUse.AddFirst(served.Place!);
            }
            return served;
        }
        string path = store.PathOf(digest);
        try
        {
            if (store.TryOpen(digest) is not { } file)
            {
                // What can be had is not waited for here: Verify brings it.
                problem = store.OnDemand.IsAny ? null : store.OnDemand.WhyNot(digest);
                return null;
            }
            served = new ServedObject(digest, file);
        }
        catch (PosixException e)
        {
            problem = $"the object {digest} cannot be read: {PosixException.Reason(e.Errno)}";
            complain($"{path}: {e.Call}: {PosixException.Reason(e.Errno)}");
            return null;
        }
        _open[digest] = served;
        served.Place = _byUse.AddFirst(served);
        if (_open.Count > MaxOpen)
            Forget(_byUse.Last!.Value);
        return served;
    }

    private void Forget(ServedObject served)
    {
        if (_open.TryGetValue(served.Digest, out ServedObject? known) && known == served)
        {
            _open.Remove(served.Digest);
            _byUse.Remove(served.Place!);
            served.Release();
        }
    }

    private static string? Compare(SafeFileHandle file, string digest, out FileIdentity identity)
    {
        identity = default;
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            FileStatus status = Files.Status(file);
            if (!status.IsRegular)
                return "is no regular file";
            identity = FileIdentity.Of(status);
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            for (long offset = 0; Files.ReadAt(file, buffer, offset) is var count and > 0; offset += count)
                hash.AppendData(buffer, 0, count);
            string found = Convert.ToHexStringLower(hash.GetHashAndReset());
            return found == digest ? null : $"its sha256 is {found}";
        }
        catch (PosixException e)
        {
            return $"cannot be read: {PosixException.Reason(e.Errno)}";
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Finish(ServedObject served, string? wrong, in FileIdentity identity)
    {
        string digest = served.Digest;
        if (wrong is null)
            _verified[digest] = identity;
        else
        {
            _verified.Remove(digest);
            Forget(served);
            complain($"{store.PathOf(digest)}: {wrong}; {Quarantine.Put(store, digest, served.File)}");
        }
        served.Release();
        Tell(digest, wrong is null ? null : $"the object {digest} is damaged");
    }

    /// <summary>What kept an object from being brought; null when it is here.</summary>
    private string? Bring(string digest)
    {
        try
        {
            return store.OnDemand.Bring(digest) ? null : store.OnDemand.WhyNot(digest);
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return e.Message;
        }
    }

    private void Brought(string digest, string? failure)
    {
        if (failure is not null)
            complain(failure);
        Tell(digest, failure is null ? null : $"the object {digest} could not be had");
    }

    private void Tell(string digest, string? problem)
    {
        if (_beingVerified.Remove(digest, out List<Action<string?>>? waiting))
            foreach (Action<string?> then in waiting)
                then(problem);
    }
}
