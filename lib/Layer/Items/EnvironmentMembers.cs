namespace Layerbox.Layer;

/// <summary>The member "env": names and values as environ(7) can hold them.</summary>
internal static class EnvironmentMembers
{
    public static SortedDictionary<string, string>? Parse(SpecObject spec)
    {
        SortedDictionary<string, string>? environment = spec.OptionalTextMap("env");
        foreach ((string name, string value) in environment ?? [])
        {
            if (name.Length == 0 || name.AsSpan().ContainsAny('=', '\0'))
                throw spec.Error($"member 'env': '{name}' cannot be the name of a variable");
            if (value.Contains('\0', StringComparison.Ordinal))
                throw spec.Error($"member 'env': the value of '{name}' holds a NUL");
        }
        return environment;
    }
}
