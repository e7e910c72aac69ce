namespace Layerbox.Posix;

/// <summary>Environment variables that hold paths, without the loss of .NET's decoding.</summary>
public static class EnvironmentVariable
{
    /// <summary>The value in the encoding of <see cref="PathText"/>; null when unset or empty.</summary>
    public static string? Get(string name)
    {
        string? value = Environment.GetEnvironmentVariable(name);
        if (value?.Contains('\uFFFD') == true)
        {
            value = ProgramStart.InheritedEnvironment()
                .FirstOrDefault(variable => variable.StartsWith($"{name}=", StringComparison.Ordinal))?[(name.Length + 1)..] ?? value;
        }
        return string.IsNullOrEmpty(value) ? null : value;
    }
}
