using System.Text.Json;
using Layerbox.FileTree;
using Layerbox.Posix;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>The line of JSON that a sync ends with.</summary>
internal static class SyncReport
{
    public static void Write(JsonLineWriter lines, Snapshot snapshot, bool isNew, string? tag, List<RepoResult> results, List<PackageMutation> mutations)
    {
        lines.StartLine();
        lines.Json.WriteString("snapshot", snapshot.Id);
        lines.Json.WriteBoolean("new", isNew);
        RpmRepoSnapshot.WriteText(lines.Json, "tag", tag);
        lines.Json.WriteStartArray("repos");
        foreach (RepoResult result in results)
            WriteRepo(lines.Json, result, mutations.Count(mutation => mutation.Repo == result.Request.Name));
        lines.Json.WriteEndArray();
        lines.EndLine();
        lines.Flush();
    }

    private static void WriteRepo(Utf8JsonWriter json, RepoResult result, int mutated)
    {
        SnapshotRepo repo = result.Repo!;
        json.WriteStartObject();
        json.WriteString("name", repo.Name);
        RpmRepoSnapshot.WriteText(json, "universe", repo.Universe);
        json.WriteString("url", PathText.Printable(result.Mirror!.ToString()));
        RpmRepoSnapshot.WriteText(json, "revision", repo.Revision);
        json.WriteString("repomd", $"sha256:{repo.Repomd}");
        RpmRepoSnapshot.WriteText(json, "signed_by", result.SignedBy);
        json.WriteNumber("packages", repo.Packages);
        json.WriteNumber("package_bytes", repo.PackageBytes);
        if (repo.Missing.Count > 0)
            json.WriteNumber("missing", repo.Missing.Count);
        if (mutated > 0)
            json.WriteNumber("mutated", mutated);
        WriteCounts(json, result);
        if (result.Notes.Count > 0)
        {
            json.WriteStartArray("notes");
            foreach (string note in result.Notes)
                json.WriteStringValue(PathText.Printable(note));
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    public static void WriteCounts(Utf8JsonWriter json, RepoResult result)
    {
        json.WriteNumber("present", result.Present);
        json.WriteNumber("fetched", result.Fetched);
        json.WriteNumber("fetched_bytes", result.FetchedBytes);
    }
}
