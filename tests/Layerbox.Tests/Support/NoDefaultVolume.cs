using System.Runtime.CompilerServices;

namespace Layerbox.Tests;

/// <summary>
/// Keeps tests away from the default volume of whoever runs them: a tool that would open it, or make it, fails instead. Tests of the default
/// volume itself say where their own is.
/// </summary>
internal static class NoDefaultVolume
{
    [ModuleInitializer]
    internal static void Forbid()
    {
        Environment.SetEnvironmentVariable("LAYERBOX_VOLUME", null);
        Environment.SetEnvironmentVariable("XDG_CACHE_HOME", "/proc/no-default-volume-in-tests");
    }
}
