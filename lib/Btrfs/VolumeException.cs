namespace Layerbox.Btrfs;

/// <summary>A volume cannot be found, made, mounted or grown. The message is one line that says what to do about it.</summary>
public sealed class VolumeException(string message, Exception? cause = null) : IOException(message, cause);
