namespace Layerbox.Nspawn;

/// <summary>The container could not be set up, so the command never ran.</summary>
public sealed class ContainerException(string message) : IOException(message);
