namespace Layerbox.Layer;

/// <summary>A layer that cannot be built as it is specified. The subclasses say in which way.</summary>
public class LayerException(string message) : IOException(message);

/// <summary>The specification itself is wrong: unknown members, wrong types, impossible values.</summary>
public sealed class SpecificationException(string place, string message) : LayerException($"{place}: {message}");

/// <summary>Two providers for one path, user or group; or one provider for what the parent has already.</summary>
public sealed class ConflictException(string message) : LayerException(message);

/// <summary>An item needs what nobody provides.</summary>
public sealed class MissingItemException(string message) : LayerException(message);

/// <summary>An item needs something that is there, but not as it must be.</summary>
public sealed class UnsatisfiedException(string message) : LayerException(message);

/// <summary>Items that wait for each other. The cycle is listed from its smallest member, so the text is stable.</summary>
public sealed class CycleException(string message) : LayerException(message);
