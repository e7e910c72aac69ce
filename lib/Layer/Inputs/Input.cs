using System.Security.Cryptography;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer;

/// <summary>Something outside the image that an item reads; its digest stands for it in the recipe.</summary>
public abstract class Input
{
    private string? _digest;

    /// <summary>As the specification calls it.</summary>
    public abstract string Name { get; }

    /// <summary>"sha256:…" or another text that changes whenever what the item would take from the input changes.</summary>
    public string Digest => _digest ??= ComputeDigest();

    /// <summary>About how many bytes of it may go into the layer, as far as that is known before.</summary>
    public virtual long Size => 0;

    protected abstract string ComputeDigest();
}

/// <summary>A file that is taken byte for byte: an archive, a stream.</summary>
public sealed class BlobInput(string name, string hostPath) : Input
{
    public override string Name => name;
    public string HostPath => hostPath;

    /// <summary>Read more than once, so it must be a file; not blocking, or a fifo would make us wait for its writer.</summary>
    public FdStream Open()
    {
        SafeFileHandle file = Files.Open(hostPath, OpenFlags.ReadOnly | OpenFlags.NonBlocking);
        if (Files.Status(file).IsRegular)
            return new FdStream(file, hostPath, canWrite: false);
        file.Dispose();
        throw new InvalidDataException($"{hostPath}: no regular file");
    }

    protected override string ComputeDigest()
    {
        using FdStream stream = Open();
        return $"sha256:{Convert.ToHexStringLower(SHA256.HashData(stream))}";
    }
}

/// <summary>Another layer, by its handle. What counts is its content.</summary>
public sealed class LayerInput(string name, string handlePath) : Input
{
    private LayerHandle? _handle;

    public override string Name => name;
    public LayerHandle Handle => _handle ??= LayerHandle.Read(handlePath);
    public string LayerName => Handle.Layer;

    protected override string ComputeDigest() => Handle.Digest;
}
