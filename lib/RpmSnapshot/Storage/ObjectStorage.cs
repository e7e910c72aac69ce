using Layerbox.Posix;

namespace Layerbox.RpmSnapshot;

/// <summary>Is given bytes, piece by piece.</summary>
public delegate void BytesTaker(ReadOnlySpan<byte> bytes);

/// <summary>
/// A place outside of a store that keeps bytes by name. Names are like those in a store, <c>objects/sha256/ab/HASH</c> and <c>snapshots/ID.json</c>: what is
/// behind a name never changes, and whoever gets it compares it with the digest in the name. Nothing else is asked of it.
/// </summary>
public abstract class ObjectStorage
{
    private const string CommandPrefix = "command:", S3Prefix = "s3://";
    private const string Forms = "a directory, s3://BUCKET/PREFIX or command:PROGRAM";

    /// <summary>Speaks to S3 in our place: what it is made of would make each start of the one executable dearer.</summary>
    private const string S3Program = "layerbox-storage-s3";

    /// <summary>What it is called in messages.</summary>
    public abstract string Shown { get; }

    /// <summary>A directory, "s3://BUCKET/PREFIX", or "command:PROGRAM".</summary>
    /// <exception cref="FormatException">It is none of them.</exception>
    /// <exception cref="IOException">The program that speaks to S3 is not there.</exception>
    public static ObjectStorage Parse(string text) =>
        text is "" or CommandPrefix or S3Prefix ? throw new FormatException($"a storage is {Forms}")
        : text.StartsWith(CommandPrefix, StringComparison.Ordinal) ? new CommandStorage(text[CommandPrefix.Length..])
        : text.StartsWith(S3Prefix, StringComparison.Ordinal) ? new CommandStorage(FindS3Program(text), text)
        : text.Contains("://", StringComparison.Ordinal) ? throw new FormatException($"'{text}': a storage is {Forms}")
        : new DirectoryStorage(text);

    /// <summary>The same storage, called so that it is found from any folder. A program without a slash in its name is looked for in PATH by whoever runs it.</summary>
    public static string Absolute(string text)
    {
        if (text.StartsWith(S3Prefix, StringComparison.Ordinal))
            return text;
        string prefix = text.StartsWith(CommandPrefix, StringComparison.Ordinal) ? CommandPrefix : "", path = text[prefix.Length..];
        return prefix.Length > 0 && !path.Contains('/', StringComparison.Ordinal) ? text : prefix + Path.GetFullPath(path);
    }

    /// <summary>Keeps the bytes of a file under a name, whole or not at all.</summary>
    /// <param name="path">The file, or a link to it, such as one of those in <c>/proc/self/fd</c>.</param>
    /// <exception cref="IOException">It could not.</exception>
    public abstract void Put(string name, string path);

    /// <summary>Gives the bytes that have a name, piece by piece, to whoever wants them.</summary>
    /// <returns>False when there are none.</returns>
    /// <exception cref="IOException">It could not.</exception>
    public abstract bool Get(string name, BytesTaker take);

    /// <summary>Whether a name is there.</summary>
    /// <exception cref="IOException">It is not known.</exception>
    public abstract bool Has(string name);

    /// <summary>All names that begin with a text, in any order.</summary>
    /// <exception cref="IOException">They are not known.</exception>
    public abstract IEnumerable<string> List(string prefix);

    /// <summary>Takes a name away; that it is not there is no error.</summary>
    /// <exception cref="IOException">It could not.</exception>
    public abstract void Delete(string name);

    private static string FindS3Program(string storage)
    {
        string? folder = Path.GetDirectoryName(Environment.ProcessPath), beside = Path.Join(folder, S3Program);
        if (folder is not null && ProgramStart.WhyNotExecutable(beside) is null)
            return beside;
        return ProgramStart.TryFind(S3Program)
            ?? throw new IOException($"{storage}: the program {S3Program} is neither beside this one{(folder is null ? "" : $" ({folder})")} nor in PATH; 'scripts/publish --storage-s3 DIR' of the sources makes it");
    }

    /// <summary>Whether a text may be a name: what a storage lists comes from elsewhere.</summary>
    protected static bool IsName(string name) =>
        name.Length is > 0 and < 256 && name.Split('/').All(part => part.Length > 0 && part[0] != '.' && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_'));
}

/// <summary>A directory, perhaps on another machine's disk.</summary>
internal sealed class DirectoryStorage(string path) : ObjectStorage
{
    private const uint ReadForAll = 0x124; // 0444

    public override string Shown => path;

    public override void Put(string name, string from)
    {
        string to = PathOf(name);
        Directories.MakeAll(Path.GetDirectoryName(to)!);
        using Microsoft.Win32.SafeHandles.SafeFileHandle source = Files.Open(from, OpenFlags.ReadOnly);
        using OutputFile target = OutputFile.Create(to, replace: true);
        byte[] buffer = new byte[1 << 18];
        while (Files.Read(source, buffer, from) is var count and > 0)
            Files.Write(target.Handle, buffer.AsSpan(0, count), to);
        Files.SetMode(target.Handle, ReadForAll, to);
        target.Commit();
    }

    public override bool Get(string name, BytesTaker take)
    {
        string from = PathOf(name);
        using Microsoft.Win32.SafeHandles.SafeFileHandle? source = Files.TryOpen(from, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        if (source is null)
            // A folder that is not mounted has not got less.
            return Files.Exists(path) ? false : throw new PosixException("open", Errno.ENOENT, path, "the storage is not there");
        byte[] buffer = new byte[1 << 18];
        while (Files.Read(source, buffer, from) is var count and > 0)
            take(buffer.AsSpan(0, count));
        return true;
    }

    public override bool Has(string name) => Files.Exists(PathOf(name));

    public override IEnumerable<string> List(string prefix) => Files.Exists(path) ? Below("").Where(name => name.StartsWith(prefix, StringComparison.Ordinal)) : [];

    public override void Delete(string name)
    {
        if (Has(name))
            Files.Remove(PathOf(name));
    }

    private string PathOf(string name) => Path.Join(path, name);

    private IEnumerable<string> Below(string folder)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle handle = Directories.Open(PathOf(folder));
        foreach ((byte[] entry, _) in Directories.List(handle))
        {
            string name = folder.Length == 0 ? PathText.FromBytes(entry) : $"{folder}/{PathText.FromBytes(entry)}";
            FileStatus status = Files.Status(PathOf(name));
            if (status.IsDirectory && IsName(name))
                foreach (string below in Below(name))
                    yield return below;
            else if (status.IsRegular && IsName(name))
                yield return name;
        }
    }
}
