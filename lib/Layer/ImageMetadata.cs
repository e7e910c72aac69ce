using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// What an image records about itself, in the image, so that children and send-streams carry it: how it is to be run
/// (/.layerbox/config.json) and what is to be mounted in it (/.layerbox/mounts.json). Nothing else may write there. Each file is one
/// JSON document on one line with a newline at its end, members in a fixed order; a part with nothing in it has no file.
/// </summary>
public sealed class ImageMetadata
{
    public static TreePath Folder { get; } = TreePath.Parse(".layerbox");

    /// <summary>An image from elsewhere may hold anything, and each file is read as a whole.</summary>
    private const long MaxBytes = 16 << 20;

    private static readonly FileName s_configName = new("config.json");
    private static readonly FileName s_mountsName = new("mounts.json");

    /// <summary>Entrypoint, command, environment and so on; null when nothing was said.</summary>
    public RunConfig? Config { get; set; }

    /// <summary>Sorted by mount point.</summary>
    public IReadOnlyList<Mount> Mounts { get; private set; } = [];

    /// <exception cref="LayerException">The mount point is at, below or above another.</exception>
    public void AddMount(Mount mount)
    {
        if (Mounts.FirstOrDefault(m => m.MountPoint.StartsWith(mount.MountPoint) || mount.MountPoint.StartsWith(m.MountPoint)) is { } other)
            throw new LayerException($"{mount.MountPoint}: mounts cannot be nested; {other.MountPoint} is a mount point already");
        Mounts = [.. Mounts.Append(mount).OrderBy(m => m.MountPoint)];
    }

    /// <exception cref="LayerException">The folder holds something that we would not have written.</exception>
    public static ImageMetadata Read(Tree tree)
    {
        ImageMetadata metadata = new();
        if (tree.Find(Folder) is not { } folder)
            return metadata;
        if (!folder.IsDirectory)
            throw new LayerException($"{Folder}: a directory is expected");
        foreach ((FileName name, Inode inode) in folder.Children)
        {
            if (name == s_configName)
            {
                metadata.Config = ReadFile(inode, name, MetadataJson.Default.RunConfig);
                if (metadata.Config.HasNull())
                    throw new LayerException($"{Folder.Append(name)}: not as layerbox writes it (a list with null in it)");
            }
            else if (name == s_mountsName)
                foreach (MountRecord? record in ReadFile(inode, name, MetadataJson.Default.MountRecordArray))
                    metadata.AddMount(Mount.From(record));
            else
                throw new LayerException($"{Folder.Append(name)}: unknown; this folder is reserved for layerbox");
        }
        return metadata;
    }

    /// <summary>Brings the tree's folder up to date; files that would not change keep their inode and its time.</summary>
    public void Write(Tree tree, Timestamp epoch)
    {
        WriteFile(tree, s_configName, Config is null ? null : Encode(Config, MetadataJson.Default.RunConfig), epoch);
        WriteFile(tree, s_mountsName, Mounts.Count == 0 ? null : Encode([.. Mounts.Select(m => m.ToRecord())], MetadataJson.Default.MountRecordArray), epoch);
    }

    private static T ReadFile<T>(Inode inode, FileName name, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        string where = Folder.Append(name).ToString();
        if (inode.Kind != FileKind.File)
            throw new LayerException($"{where}: a regular file is expected");
        if (inode.Content!.Size > MaxBytes)
            throw new LayerException($"{where}: {inode.Content.Size} bytes are too many; at most {MaxBytes} make sense");
        using Stream stream = inode.Content.Open();
        using MemoryStream bytes = new();
        stream.CopyTo(bytes);
        if (bytes.Length == 0 || bytes.GetBuffer()[bytes.Length - 1] != '\n')
            throw new LayerException($"{where}: the newline at the end is missing");
        try
        {
            return JsonSerializer.Deserialize(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), type) ?? throw new LayerException($"{where}: null is no value");
        }
        catch (JsonException e)
        {
            throw new LayerException($"{where}: not as layerbox writes it ({e.Path})");
        }
    }

    private static byte[] Encode<T>(T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(value, type), (byte)'\n'];

    private static void WriteFile(Tree tree, FileName name, byte[]? bytes, Timestamp epoch)
    {
        Inode? folder = tree.Root.Child(Folder.Name);
        Inode? existing = folder?.Child(name);
        if (bytes is null && existing is null)
            return;
        if (existing is not null && bytes is not null && existing.Content!.Digest.AsSpan().SequenceEqual(new MemoryContent(bytes).Digest))
            return;
        if (folder is null)
        {
            tree.Root.Add(Folder.Name, folder = Inode.Directory(InodeMode.Directory));
            folder.MadeBy = "layerbox";
            tree.Root.ModificationTime = epoch;
        }
        folder.Remove(name);
        if (bytes is not null)
        {
            Inode file = Inode.File(InodeMode.Data, new MemoryContent(bytes));
            file.ModificationTime = epoch;
            file.MadeBy = "layerbox";
            folder.Add(name, file);
        }
        folder.ModificationTime = epoch;
    }
}

/// <summary>How an image is to be run; the words are those of the OCI image configuration.</summary>
public sealed record RunConfig
{
    public IReadOnlyList<string>? Entrypoint { get; init; }
    public IReadOnlyList<string>? Cmd { get; init; }
    public SortedDictionary<string, string>? Env { get; init; }
    public string? User { get; init; }
    public string? WorkingDir { get; init; }
    public string? StopSignal { get; init; }
    public IReadOnlyList<string>? ExposedPorts { get; init; }
    public IReadOnlyList<string>? Volumes { get; init; }
    public SortedDictionary<string, string>? Labels { get; init; }

    // JSON may hold it where the types do not.
    internal bool HasNull() =>
        new IEnumerable<string?>?[] { Entrypoint, Cmd, ExposedPorts, Volumes, Env?.Values, Labels?.Values }.Any(list => list?.Contains(null) == true);
}

/// <summary>A mount that the image wants when it runs: always read-only, nothing is mounted while it is built.</summary>
/// <param name="MountPoint">Where, in the image.</param>
/// <param name="Type">"layer" or "host".</param>
/// <param name="Source">Of a layer mount, the handle's layer name; of a host mount, the path on the host.</param>
/// <param name="IsDirectory">Whether the mount point is a directory or an empty file.</param>
/// <param name="Digest">Of a layer mount: the content digest of the layer that is meant.</param>
/// <param name="RuntimeSource">What production agents mount instead; opaque to us.</param>
public sealed record Mount(TreePath MountPoint, string Type, string Source, bool IsDirectory, string? Digest, JsonElement? RuntimeSource)
{
    public const string OfLayer = "layer", OfHost = "host";

    /// <exception cref="LayerException">An image from elsewhere may hold anything: the record is not one that we would have written.</exception>
    internal static Mount From(MountRecord? r)
    {
        if (r is not { Type: OfLayer or OfHost, Source.Length: > 0 } || (r.Type == OfLayer) == (r.Digest is null))
            throw new LayerException($"{ImageMetadata.Folder}/mounts.json: a mount is not as layerbox writes it");
        TreePath path;
        try
        {
            path = TreePath.Parse(r.MountpointB64 is null ? Encoding.UTF8.GetBytes(r.Mountpoint ?? "") : Convert.FromBase64String(r.MountpointB64));
        }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            throw new LayerException($"{ImageMetadata.Folder}/mounts.json: a mount point is no path");
        }
        if (path.IsRoot)
            throw new LayerException($"{ImageMetadata.Folder}/mounts.json: the root of the image cannot be a mount point");
        return new Mount(path, r.Type, r.Source, r.IsDirectory, r.Digest, r.RuntimeSource);
    }

    internal MountRecord ToRecord()
    {
        byte[] path = MountPoint.ToBytes();
        bool isText = System.Text.Unicode.Utf8.IsValid(path);
        return new MountRecord(isText ? Encoding.UTF8.GetString(path) : null, isText ? null : Convert.ToBase64String(path), Type, Source, IsDirectory, Digest, RuntimeSource);
    }
}

internal sealed record MountRecord(string? Mountpoint, string? MountpointB64, string Type, string Source, bool IsDirectory, string? Digest, JsonElement? RuntimeSource);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(RunConfig))]
[JsonSerializable(typeof(MountRecord[]))]
internal sealed partial class MetadataJson : JsonSerializerContext;
