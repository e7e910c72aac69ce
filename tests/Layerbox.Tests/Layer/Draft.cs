using System.Text;
using Layerbox.FileTree;
using Layerbox.Layer;

namespace Layerbox.Tests.Layer;

/// <summary>Compiles features in memory: no volume, no root. What the items mean is tested here; that the disk then agrees, elsewhere.</summary>
internal static class Draft
{
    /// <summary>Applies features (the JSON of the list, without brackets) to a parent's tree.</summary>
    public static Tree Compile(string features, Tree? parent = null, string folder = "/nowhere", string more = "")
    {
        LayerSpec spec = LayerSpec.Parse(Encoding.UTF8.GetBytes($$"""{"name": "t", {{more}} "features": [{{features}}]}"""), Path.Combine(folder, "t.layer.json"));
        LayerDraft draft = new(parent?.Copy() ?? new Tree(), new Timestamp(0), new MemoryContentStore(), layer => s_layers[layer.Handle.Digest]);
        FeaturePhase.Remove(draft, spec.Items);
        FeaturePhase.Apply(draft, spec.Items);
        return draft.Tree;
    }

    /// <summary>The message of what goes wrong, with the place of the specification cut off.</summary>
    public static string Error<T>(string features, Tree? parent = null, string folder = "/nowhere", string more = "") where T : Exception
    {
        T error = Assert.Throws<T>(() => Compile(features, parent, folder, more));
        return error.Message.Replace(Path.Combine(folder, "t.layer.json") + ": ", "", StringComparison.Ordinal);
    }

    /// <summary>Writes the handle of a layer that has this tree, for specifications that name it by the file.</summary>
    public static void WriteHandle(string path, Tree tree)
    {
        string digest = $"sha256:{Convert.ToHexStringLower(TreeDigest.Compute(tree))}", uuid = Guid.Empty.ToString("D");
        s_layers[digest] = tree;
        File.WriteAllBytes(path, new LayerHandle(Path.GetFileNameWithoutExtension(path), uuid, "layers/x/volume", uuid, null, digest, digest).ToBytes());
    }

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, Tree> s_layers = new();

    public static string Render(this Tree tree) => TreeText.Render(tree);

    public static string Text(this Tree tree, string path)
    {
        using StreamReader reader = new(tree.Find(TreePath.Parse(path))!.Content!.Open());
        return reader.ReadToEnd();
    }

    public static Inode At(this Tree tree, string path) => tree.Find(TreePath.Parse(path)) ?? throw new InvalidOperationException($"{path} is not there");
}
