using System.Globalization;
using System.Text;
using Layerbox.FileTree;

namespace Layerbox.Rpm;

/// <summary>
/// Puts what packages bring into a tree, as rpm would put it on a disk: paths, modes, times, links, capabilities and owners by the header. Symbolic
/// links on the way to a file are followed inside the tree, never outside. Ghosts are left out, scripts are not run.
/// </summary>
public sealed class RpmTree
{
    private const string Root = "root";

    private sealed record Owned(Inode Inode, string User, string Group);

    private readonly Dictionary<Inode, (string Package, RpmFile File)> _origins = new(ReferenceEqualityComparer.Instance);
    private readonly List<Owned> _owned = [];
    private readonly ContentStore _store;

    /// <param name="store">Where the bytes of files go.</param>
    /// <param name="existing">What is there already; it is changed. Null for nothing.</param>
    public RpmTree(ContentStore store, Tree? existing = null)
    {
        _store = store;
        Tree = existing ?? new Tree();
        if (existing is null)
            _owned.Add(new Owned(Tree.Root, Root, Root));
    }

    /// <summary>The tree that is filled.</summary>
    public Tree Tree { get; }

    /// <summary>Told how many bytes of the current package's payload were read.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Puts a package into the tree. When that fails the tree is good for nothing.</summary>
    /// <param name="package">A package whose payload was not read yet.</param>
    /// <param name="checks">What is compared with the header's and the signature header's digests.</param>
    /// <exception cref="InvalidDataException">Something is wrong with it, or it does not go together with what is there; the first of what is wrong.</exception>
    public void Add(RpmPackage package, RpmChecks checks)
    {
        List<RpmFinding> findings = [];
        IReadOnlyList<RpmFile> files = RpmFileList.Read(package);
        Dictionary<int, FileContent> contents = [];
        using (RpmPayload payload = new(package, files, checks, findings.Add) { Progress = Progress })
        {
            try
            {
                payload.Read(_store, (file, content) => contents.Add(file.Index, content));
            }
            catch (InvalidDataException) when (findings.Count > 0)
            {
                // That a digest is wrong says more than what came of it.
            }
        }
        if (findings.Count > 0)
            throw new InvalidDataException(Describe(findings));
        Place(Nevra.Of(package).ToString(), files, contents);
    }

    private static string Describe(List<RpmFinding> findings)
    {
        RpmFinding first = findings[0];
        string place = first.Path is null ? "" : $"'{BytesText.Escape(first.Path)}': ";
        string more = findings.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" (and {findings.Count - 1} more; rpm-verify lists them)");
        return $"{first.Code}: {place}{first.Message}{more}";
    }

    private void Place(string package, IReadOnlyList<RpmFile> files, Dictionary<int, FileContent> contents)
    {
        Dictionary<FileContent, Inode> linked = new(ReferenceEqualityComparer.Instance);
        RpmHardLinks links = new(files);
        (byte[] Directory, Inode Inode)? last = null;
        foreach (RpmFile file in files)
        {
            if (file.IsGhost)
                continue;
            if (WhyImpossible(file) is { } reason)
                throw Fault(file, reason);
            TreePath path = TreePath.Parse(file.Path);
            if (path.IsRoot)
            {
                SetMetadata(Tree.Root, file, package);
                continue;
            }
            int slash = Math.Max(0, file.Path.AsSpan().LastIndexOf((byte)'/'));
            Inode parent = last is { } known && known.Directory.AsSpan().SequenceEqual(file.Path.AsSpan(0, slash)) ? known.Inode : Parent(path, file);
            last = (file.Path[..slash], parent);
            Inode? content = links.IsOneOfMany(file) && linked.TryGetValue(contents[file.Index], out Inode? first) ? first : null;
            Inode inode = content ?? Make(file, contents);
            if (parent.Child(path.Name) is { } existing)
                Meet(existing, inode, file, package);
            else
            {
                parent.Add(path.Name, inode);
                if (content is null)
                    SetMetadata(inode, file, package);
            }
            if (content is null && inode.Content is { } bytes && inode.Links > 0)
                linked.TryAdd(bytes, inode);
        }
    }

    // Another package, or what was there before, may bring the same directory, or the very same file.
    private void Meet(Inode existing, Inode inode, RpmFile file, string package)
    {
        if (existing.IsDirectory && inode.IsDirectory)
        {
            SetMetadata(existing, file, package);
            return;
        }
        string other = _origins.TryGetValue(existing, out (string Package, RpmFile File) origin) ? $"{origin.Package} brings it, too" : "it is there already";
        string? difference = existing.Kind != inode.Kind ? "as something else"
            : existing.Mode != (file.IsSymlink ? 0x1FF : file.Mode & 0xFFF) ? "with another mode"
            : !existing.Target.AsSpan().SequenceEqual(inode.Target) ? "pointing elsewhere"
            : existing.Content is { } bytes && !bytes.HasSameBytes(inode.Content!) ? "with another content"
            : (existing.DeviceMajor, existing.DeviceMinor) != (inode.DeviceMajor, inode.DeviceMinor) ? "with another number"
            : origin.File is { } twin && (twin.User, twin.Group, twin.Capabilities) != (file.User, file.Group, file.Capabilities) ? "with another owner or other capabilities"
            : null;
        if (difference is not null)
            throw Fault(file, $"{other}, {difference}");
    }

    private Inode Parent(TreePath path, RpmFile file)
    {
        Inode at = Tree.Root;
        TreePath real = Resolve(path.Parent, file);
        for (int i = 0; i < real.Depth; i++)
        {
            FileName name = real.Names[i];
            Inode? next = at.Child(name);
            if (next is null)
            {
                at.Add(name, next = Inode.Directory(0x1ED /* 0755 */));
                _owned.Add(new Owned(next, Root, Root));
            }
            else if (!next.IsDirectory)
                throw Fault(file, $"'{TreePath.Of(real.Names.Take(i + 1))}' is no directory");
            at = next;
        }
        return at;
    }

    private TreePath Resolve(TreePath folder, RpmFile file)
    {
        try
        {
            return Tree.Resolve(folder, followLast: true);
        }
        catch (InvalidDataException e)
        {
            throw Fault(file, e.Message);
        }
    }

    /// <summary>Why a file of a package cannot be made, whatever else is there; null when it can.</summary>
    public static string? WhyImpossible(RpmFile file)
    {
        ReadOnlySpan<byte> bytes = file.Path;
        foreach (Range part in bytes.Split((byte)'/'))
            if (bytes[part].SequenceEqual(".."u8))
                return "it has '..' in its path";
        try
        {
            if (TreePath.Parse(bytes).IsRoot && !file.IsDirectory)
                return "the root must be a directory";
        }
        catch (InvalidDataException impossible)
        {
            return impossible.Message;
        }
        if (file.KindName == "unknown")
            return $"its mode {Convert.ToString(file.Mode, 8)} is of no kind";
        if (file.IsSymlink && file.Target.Length is 0 or > TreePath.MaxLength)
            return string.Create(CultureInfo.InvariantCulture, $"a symbolic link whose target has {file.Target.Length} bytes");
        if (file.Capabilities.Length > 0 && FileCapabilities.Parse(file.Capabilities) is null)
            return $"its capabilities '{BytesText.Escape(Encoding.UTF8.GetBytes(file.Capabilities))}' are not understood";
        return null;
    }

    private static Inode Make(RpmFile file, Dictionary<int, FileContent> contents) => file.Kind switch
    {
        RpmFile.Directory => Inode.Directory(file.Mode & 0xFFF),
        RpmFile.Regular => Inode.File(file.Mode & 0xFFF, contents[file.Index]),
        RpmFile.Symlink => Inode.Symlink(file.Target),
        RpmFile.CharDevice or RpmFile.BlockDevice => Inode.Device(file.Kind == RpmFile.BlockDevice, file.Mode & 0xFFF, file.DeviceMajor, file.DeviceMinor),
        RpmFile.Fifo => Inode.Fifo(file.Mode & 0xFFF),
        _ => Inode.Socket(file.Mode & 0xFFF),
    };

    private void SetMetadata(Inode inode, RpmFile file, string package)
    {
        if (!file.IsSymlink)
            inode.Mode = file.Mode & 0xFFF;
        inode.ModificationTime = new Timestamp(file.ModificationTime);
        inode.MadeBy = package;
        if (file.Capabilities.Length > 0)
            inode.Xattrs = inode.Xattrs.With(FileCapabilities.XattrName.ToArray(), FileCapabilities.Parse(file.Capabilities)!);
        _origins[inode] = (package, file);
        _owned.Add(new Owned(inode, file.User, file.Group));
    }

    /// <summary>
    /// Gives all that was put into the tree to its owners, who have only names until then. As rpm does, what belongs to a name that nobody
    /// has is given to root, without its setuid or setgid bit.
    /// </summary>
    /// <param name="uid">The number of a user; null when there is none of that name.</param>
    /// <param name="gid">The same of a group.</param>
    /// <param name="unknown">Told each name that nobody has, once: "user x", "group y".</param>
    public void GiveToOwners(Func<string, uint?> uid, Func<string, uint?> gid, Action<string>? unknown = null)
    {
        Dictionary<string, uint?> users = [], groups = [];
        foreach (Owned owned in _owned)
        {
            uint? user = Number(users, owned.User, uid, "user"), group = Number(groups, owned.Group, gid, "group");
            (owned.Inode.Uid, owned.Inode.Gid) = (user ?? 0, group ?? 0);
            if (user is null)
                owned.Inode.Mode &= ~0x800u;
            if (group is null)
                owned.Inode.Mode &= ~0x400u;
        }

        uint? Number(Dictionary<string, uint?> known, string name, Func<string, uint?> find, string what)
        {
            if (known.TryGetValue(name, out uint? number))
                return number;
            number = name.Length == 0 ? 0 : find(name);
            if (number is null)
                unknown?.Invoke($"{what} {name}");
            return known[name] = number;
        }
    }

    private static InvalidDataException Fault(RpmFile file, string reason) => new($"'{BytesText.Escape(file.Path)}': {reason}");
}
