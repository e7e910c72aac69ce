using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Users and groups that the host does not have, which those of a container are outside: root inside is then nobody in particular on the host. Files of the root
/// keep their owners all the same, because its mount shows them so (mount_setattr(2), MOUNT_ATTR_IDMAP).
/// </summary>
/// <param name="First">Who root inside is outside; null: the engine takes numbers that nobody has.</param>
/// <param name="Count">How many there are inside, from 0 on.</param>
public sealed record UserRange(uint? First, uint Count)
{
    /// <summary>As many as names of a distribution need, "nobody" among them.</summary>
    public const uint UsualCount = 1 << BlockBits;

    private const int BlockBits = 16;

    // The numbers that systemd keeps for containers (its "Users, Groups, UIDs and GIDs"), in blocks.
    private const uint FirstBlock = 0x8, LastBlock = 0x6FFF;

    // Each byte stands for a block, of which a container holds a lock: it ends with the tool, however that ends.
    private const string ClaimsFile = "/run/layerbox-ids";

    /// <exception cref="ContainerException">These numbers cannot be meant.</exception>
    internal void Validate()
    {
        if (Count == 0 || (First ?? 1) > uint.MaxValue - Count)
            throw new ContainerException(string.Create(CultureInfo.InvariantCulture, $"user namespace {this}: numbers of users end at {uint.MaxValue - 1}"));
        if (First == 0)
            throw new ContainerException($"user namespace {this}: 0 is root of the host, who is not to be inside");
    }

    /// <inheritdoc/>
    public override string ToString() => First is { } first ? string.Create(CultureInfo.InvariantCulture, $"{first}:{Count}") : "auto";

    /// <summary>What a plan says of it, where nothing is held: numbers that are only found at the start are the first possible ones.</summary>
    internal UserNamespace Namespace(SafeFileHandle? claim = null)
    {
        IdRange range = new(0, First ?? FirstBlock << BlockBits, Count);
        return new UserNamespace { Users = [range], Groups = [range], MaySetGroups = true, KeepsOwners = true, Advice = $"--user-namespace has {Count} numbers", Claim = claim };
    }

    /// <summary>The user namespace of a new container, whose numbers are held until <see cref="UserNamespace.Claim"/> is closed.</summary>
    /// <param name="etc">The folder with passwd, group, subuid and subgid.</param>
    /// <exception cref="ContainerException">There are no such numbers, or another container has them.</exception>
    internal UserNamespace Claim(string etc = "/etc")
    {
        Validate();
        SafeFileHandle? claims = OpenClaims(isNeeded: First is null);
        try
        {
            if (First is not { } first)
                return (this with { First = FindFree(claims!, etc) }).Namespace(claims);
            // Containers that are told to may share numbers, but not with one that was to have its own.
            uint block = first >> BlockBits;
            if (claims is not null && !TryLock(claims, exclusive: false, block, ((first + Count - 1) >> BlockBits) - block + 1))
                throw new ContainerException($"user namespace {this}: a container with numbers of its own (auto) has some of these now");
            return Namespace(claims);
        }
        catch
        {
            claims?.Dispose();
            throw;
        }
    }

    private uint FindFree(SafeFileHandle claims, string etc)
    {
        List<(ulong First, ulong Count)> taken = [.. Taken(etc)];
        uint blocks = ((Count - 1) >> BlockBits) + 1;
        for (uint block = FirstBlock; block + blocks - 1 <= LastBlock; block += blocks)
        {
            ulong first = (ulong)block << BlockBits;
            if (!taken.Any(range => range.First < first + Count && first < range.First + range.Count) && TryLock(claims, exclusive: true, block, blocks))
                return (uint)first;
        }
        throw new ContainerException($"no {Count} numbers of users are free for a container: name some with FROM:COUNT");
    }

    // passwd(5) and group(5) name one in each line, subuid(5) and subgid(5) many.
    private static IEnumerable<(ulong First, ulong Count)> Taken(string etc)
    {
        foreach ((string name, bool isRange) in ((string, bool)[])[("passwd", false), ("group", false), ("subuid", true), ("subgid", true)])
        {
            foreach (string[] fields in UserNamespace.Fields($"{etc}/{name}"))
            {
                if (fields.Length > 2 && UserNamespace.Number(fields[isRange ? 1 : 2]) is { } first && (isRange ? UserNamespace.Number(fields[2]) : 1) is { } count)
                    yield return (first, count);
            }
        }
    }

    private static SafeFileHandle? OpenClaims(bool isNeeded)
    {
        try
        {
            return Files.Open(ClaimsFile, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow, 0x180 /* 0600 */);
        }
        catch (PosixException e)
        {
            return isNeeded ? throw new ContainerException($"{e.Message}: it says which numbers containers have: name some with FROM:COUNT") : null;
        }
    }

    // struct flock { short type, whence; off_t start, length; pid_t } of an open file description (fcntl(2), F_OFD_SETLK).
    private static unsafe bool TryLock(SafeFileHandle file, bool exclusive, long start, long length)
    {
        const int F_OFD_SETLK = 37;
        Span<long> flock = stackalloc long[4];
        flock.Clear();
        (flock[0], flock[1], flock[2]) = (exclusive ? 1 /* F_WRLCK */ : 0 /* F_RDLCK */, start, length);
        fixed (long* p = flock)
        {
            nint result = KernelCalls.Call(KernelCalls.fcntl, file.DangerousGetHandle(), F_OFD_SETLK, (nint)p);
            return result >= 0 || ((Errno)(-result) is Errno.EAGAIN or Errno.EACCES ? false : throw new PosixException("lock", (Errno)(-result), ClaimsFile));
        }
    }
}
