using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// The containers that run on this machine. There is no file that could be left behind: each tool holds the description of its container
/// as a sealed file in memory, which is found among the open files of the processes and ends with them. So does the lock that it holds on that file, by which the kernel's
/// list of locks tells which processes to look at.
/// </summary>
public static class ContainerRegistry
{
    private const string Name = "layerbox-container";

    /// <summary>Shows a container to others for as long as the descriptor is open.</summary>
    /// <returns>Null when it cannot be shown because we may not write files.</returns>
    internal static SafeFileHandle? Announce(ContainerDescription container)
    {
        byte[] bytes = container.ToBytes();
        // Beyond the limit a signal would end us.
        if ((ulong)bytes.Length > ResourceLimit.OwnFileSize)
            return null;
        SafeFileHandle file = SealedFiles.Make(Name, bytes);
        Files.Lock(file, exclusive: false, wait: false);
        return file;
    }

    /// <summary>
    /// All containers that root, or we ourselves, run in this process namespace. What processes inside of containers hold is not looked at:
    /// anybody may make a file of that name.
    /// </summary>
    public static IReadOnlyList<ContainerDescription> List()
    {
        string? ours = HostProcess.Namespace("self", "pid");
        Dictionary<string, ContainerDescription> found = new(StringComparer.Ordinal);
        foreach (int id in HostProcess.LockHolders() ?? HostProcess.All())
        {
            try
            {
                foreach (ContainerDescription container in HeldBy(id, ours))
                    found.TryAdd(container.Id, container);
            }
            catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ESRCH or Errno.EACCES or Errno.EPERM)
            {
                // Ended, or somebody else's.
            }
        }
        return [.. found.Values.OrderBy(container => container.StartTime).ThenBy(container => container.Id, StringComparer.Ordinal)];
    }

    /// <summary>The container of an id or its beginning, of a name, or of the number of its process 1 or of the process that runs it.</summary>
    /// <exception cref="ContainerException">There is none, or there are several.</exception>
    public static ContainerDescription Find(string text)
    {
        const int ShortestStart = 4;
        IReadOnlyList<ContainerDescription> all = List();
        foreach (Func<ContainerDescription, bool> isMeant in (Func<ContainerDescription, bool>[])
        [
            container => container.Id == text,
            container => container.Name == text,
            container => text == Decimal(container.Process1) || text == Decimal(container.Tool),
            container => text.Length >= ShortestStart && container.Id.StartsWith(text, StringComparison.Ordinal),
        ])
        {
            switch (all.Where(isMeant).ToArray())
            {
                case [var one]:
                    return one;
                case { Length: > 1 } several:
                    throw new ContainerException($"{text}: {several.Length} containers: name one by its id: {string.Join(", ", several.Select(container => container.Id))}");
            }
        }
        throw new ContainerException($"{text}: no such container runs: container-list shows those that do");
    }

    private static string Decimal(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static IEnumerable<ContainerDescription> HeldBy(int id, string? ours)
    {
        const int LargestMax = 4 << 20;
        string folder = $"/proc/{Decimal(id)}";
        byte[] wanted = PathText.ToBytes(SealedFiles.LinkOf(Name));
        List<string> names = [];
        using (SafeFileHandle descriptors = Directories.Open($"{folder}/fd"))
        {
            foreach ((byte[] name, _) in Directories.List(descriptors))
            {
                // Those were taken before.
                if (name is not [>= (byte)'0' and <= (byte)'2'] && Link(descriptors, name).AsSpan().SequenceEqual(wanted))
                    names.Add(PathText.FromBytes(name));
            }
        }
        if (names.Count == 0 || Files.Status(folder).Uid is var uid && uid != 0 && uid != ProcessOwner.EffectiveUid
            || HostProcess.Namespace(Decimal(id), "pid") != ours)
            yield break;
        foreach (string name in names)
        {
            string path = $"{folder}/fd/{name}";
            using SafeFileHandle file = Files.Open(path, OpenFlags.ReadOnly | OpenFlags.NonBlocking);
            if (!SealedFiles.IsSealed(file) || Files.Status(file).Size is var size && size > LargestMax)
                continue;
            byte[] bytes = new byte[Files.Status(file).Size];
            int length = 0;
            while (length < bytes.Length && Files.ReadAt(file, bytes.AsSpan(length), length, path) is var got and > 0)
                length += got;
            if (ContainerDescription.Parse(bytes.AsSpan(0, length), id) is { } container && HostProcess.StartTime(container.Process1) == container.StartTime)
                yield return container;
        }
    }

    private static byte[] Link(SafeFileHandle folder, byte[] name)
    {
        try
        {
            return Files.ReadLink(folder, name);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            return [];
        }
    }
}
