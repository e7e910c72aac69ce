using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// A filesystem that programs are taken from: a whole tree in memory, or a folder of the host of which only what is asked for is read.
/// </summary>
internal abstract class ProgramSource
{
    /// <summary>The inode where a path really leads, with every link passed on the way; null when there is none.</summary>
    public abstract Inode? Follow(TreePath path, out TreePath real, List<TreePath> links);

    /// <summary>The inode at exactly this path.</summary>
    public abstract Inode? At(TreePath path);

    /// <summary>The names in a directory; empty when there is none.</summary>
    public abstract IEnumerable<FileName> Names(TreePath directory);
}

/// <summary>Finds the files that programs need to start: their interpreters and shared libraries, as ld.so(8) would find them in the same filesystem.</summary>
internal sealed class ProgramClosure(ProgramSource source)
{
    // Built into the loaders of Debian (one pair a machine), Fedora, and all others; a library of another machine is passed over.
    private static readonly string[] s_defaultFolders =
    [
        .. new[] { "x86_64-linux-gnu", "aarch64-linux-gnu", "riscv64-linux-gnu", "i386-linux-gnu", "arm-linux-gnueabihf" }.SelectMany(triplet => new[] { $"lib/{triplet}", $"usr/lib/{triplet}" }),
        "lib64", "usr/lib64", "lib", "usr/lib",
    ];

    private static readonly TreePath s_config = TreePath.Parse("etc/ld.so.conf");

    private readonly SortedDictionary<TreePath, Inode> _found = [];
    private readonly HashSet<TreePath> _seen = [];
    private List<TreePath>? _folders;

    /// <summary>Every file and every link that the programs need, sorted by path.</summary>
    /// <exception cref="LayerException">Something needed is not there.</exception>
    public static SortedDictionary<TreePath, Inode> Of(ProgramSource source, IEnumerable<TreePath> programs)
    {
        ProgramClosure closure = new(source);
        foreach (TreePath program in programs)
            closure.Add(program, $"{program}");
        return closure._found;
    }

    private void Add(TreePath path, string why)
    {
        if (!_seen.Add(path))
            return;
        if (Take(path) is not { } file)
            throw new LayerException($"{why} does not exist");
        (TreePath real, Inode inode) = file;
        if (inode.Kind != FileKind.File)
            throw new LayerException($"{why} is no regular file");
        using Stream bytes = inode.Content!.Open();
        ElfFile? elf;
        try
        {
            elf = ElfFile.Read(bytes);
        }
        catch (InvalidDataException e)
        {
            throw new LayerException($"{path}: {e.Message}");
        }
        if (elf is null)
            AddScriptInterpreter(path, bytes);
        else
            AddNeeded(path, real, elf, []);
    }

    private void AddNeeded(TreePath path, TreePath real, ElfFile elf, IReadOnlyList<TreePath> inherited)
    {
        if (elf.Interpreter is { } interpreter)
            Add(TreePath.Parse(interpreter), $"{interpreter}, the loader of {path},");
        foreach (string name in elf.Needed)
            AddLibrary(name, path, real, elf, inherited);
    }

    private void AddLibrary(string name, TreePath neededBy, TreePath real, ElfFile elf, IReadOnlyList<TreePath> inherited)
    {
        // ld.so(8): DT_RPATH of the object and of those that loaded it unless there is a DT_RUNPATH, then DT_RUNPATH, then the
        // configured folders, then the default ones.
        // An object with a DT_RUNPATH ignores what it inherits, but those that it loads do not.
        bool hasRunPath = elf.RunPath.Count > 0;
        IReadOnlyList<TreePath> chain = hasRunPath ? inherited : [.. Expand(elf.Rpath, real), .. inherited];
        IEnumerable<TreePath> candidates = name.Contains('/', StringComparison.Ordinal)
            ? [TreePath.Parse(name)]
            : (hasRunPath ? Expand(elf.RunPath, real) : chain).Concat(Folders()).Select(folder => folder.Append(new FileName(name)));
        foreach (TreePath candidate in candidates)
        {
            if (source.Follow(candidate, out TreePath target, []) is not { Kind: FileKind.File } inode)
                continue;
            using Stream bytes = inode.Content!.Open();
            if (ElfFile.Read(bytes) is not { } library || library.Class != elf.Class || library.Machine != elf.Machine)
                continue;
            if (_seen.Add(candidate))
            {
                Take(candidate);
                AddNeeded(candidate, target, library, chain);
            }
            return;
        }
        throw new LayerException($"{name}, needed by {neededBy}, was not found");
    }

    private void AddScriptInterpreter(TreePath path, Stream bytes)
    {
        byte[] start = new byte[256];
        bytes.Position = 0;
        int length = bytes.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        ReadOnlySpan<byte> line = start.AsSpan(0, length);
        if (!line.StartsWith("#!"u8))
            return;
        line = line[2..];
        int end = line.IndexOf((byte)'\n');
        string[] words = System.Text.Encoding.UTF8.GetString(end < 0 ? line : line[..end]).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is [var interpreter, ..])
            Add(TreePath.Parse(interpreter), $"{interpreter}, the interpreter of {path},");
    }

    /// <summary>Notes a file and all links on the way to it.</summary>
    private (TreePath Real, Inode Inode)? Take(TreePath path)
    {
        List<TreePath> links = [];
        if (source.Follow(path, out TreePath real, links) is not { } inode)
            return null;
        foreach (TreePath link in links)
            _found.TryAdd(link, source.At(link)!);
        _found.TryAdd(real, inode);
        return (real, inode);
    }

    // A folder that climbs out of the filesystem, or cannot be one, holds no library.
    private static List<TreePath> Expand(IEnumerable<string> folders, TreePath real)
    {
        List<TreePath> paths = [];
        foreach (string folder in folders)
        {
            try
            {
                paths.Add(TreePath.Parse(folder.Replace("${ORIGIN}", "$ORIGIN", StringComparison.Ordinal).Replace("$ORIGIN", real.Parent.ToString(), StringComparison.Ordinal)));
            }
            catch (InvalidDataException)
            {
            }
        }
        return paths;
    }

    private List<TreePath> Folders()
    {
        if (_folders is not null)
            return _folders;
        _folders = [];
        ReadConfig(s_config, depth: 0);
        foreach (string folder in s_defaultFolders)
            _folders.Add(TreePath.Parse(folder));
        return _folders;
    }

    private void ReadConfig(TreePath path, int depth)
    {
        if (depth > 8 || source.Follow(path, out _, []) is not { Kind: FileKind.File } file)
            return;
        using StreamReader reader = new(file.Content!.Open());
        while (reader.ReadLine() is { } line)
        {
            line = line.Split('#')[0].Trim();
            if (line.StartsWith("include ", StringComparison.Ordinal))
                foreach (TreePath included in Glob(TreePath.Parse(line[8..].Trim() is ['/', ..] full ? full : $"{path.Parent}/{line[8..].Trim()}")))
                    ReadConfig(included, depth + 1);
            else if (line.StartsWith('/'))
                _folders!.Add(TreePath.Parse(line));
        }
    }

    // Only the last name has a pattern in any ld.so.conf seen: "/etc/ld.so.conf.d/*.conf".
    private IEnumerable<TreePath> Glob(TreePath pattern) =>
        source.Names(pattern.Parent)
            .Where(name => System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.Name.ToString(), name.ToString(), ignoreCase: false))
            .Order()
            .Select(pattern.Parent.Append);
}
