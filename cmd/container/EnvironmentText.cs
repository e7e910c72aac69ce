namespace Layerbox.Cmd.Containers;

/// <summary>Environments as "NAME=value".</summary>
internal static class EnvironmentText
{
    /// <summary>All of them. Of a name that comes up again the last value counts, at the first one's place.</summary>
    public static List<string> Merge(params IEnumerable<string>[] lists)
    {
        List<string> merged = [];
        foreach (string variable in lists.SelectMany(list => list))
        {
            string name = variable[..(variable.IndexOf('=', StringComparison.Ordinal) + 1)];
            int at = name.Length == 0 ? -1 : merged.FindIndex(other => other.StartsWith(name, StringComparison.Ordinal));
            if (at < 0)
                merged.Add(variable);
            else
                merged[at] = variable;
        }
        return merged;
    }
}
