using System.Diagnostics.CodeAnalysis;

namespace Layerbox.Posix;

/// <summary>
/// The executable has two modules, each with a runtime of its own, of which a process uses one: the whole one has all tools, the small one starts
/// containers and has only what most of them need, because a start takes as long as a module is large. What is behind this question is not in the small one.
/// </summary>
public static class Module
{
    /// <summary>This is the whole one. A constant to the compiler ahead of time, set by each module's project.</summary>
    [FeatureSwitchDefinition("Layerbox.Module.IsWhole")]
    public static bool IsWhole => !AppContext.TryGetSwitch("Layerbox.Module.IsWhole", out bool isWhole) || isWhole;
}

/// <summary>Thrown in the small module, while nothing but standard input has been touched: what is asked for is in the whole one.</summary>
/// <param name="what">What that is.</param>
public sealed class NotInThisModuleException(string what) : Exception(what);
