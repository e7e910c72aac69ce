namespace Layerbox.RpmSnapshot;

/// <summary>How far a repository is.</summary>
/// <param name="What">What is being fetched: "metadata" or "packages".</param>
/// <param name="Files">Files that are done with, in the store or failed.</param>
/// <param name="AllFiles">Of how many.</param>
/// <param name="Bytes">Bytes that came.</param>
/// <param name="AllBytes">Of how many, as the metadata says.</param>
public readonly record struct TransferProgress(string What, long Files, long AllFiles, long Bytes, long AllBytes);
