using System.CommandLine;

namespace Layerbox.Cmd.Rpms;

/// <summary>Which store a command of rpm-repo-snapshot works on.</summary>
/// <param name="Path">Its directory.</param>
/// <param name="Wait">Whether to wait for another who writes.</param>
internal sealed record StoreArgument(string Path, bool Wait);

/// <summary>A command of rpm-repo-snapshot: what it is given, and what it does.</summary>
internal sealed record RepoCommand(Command Command, Func<ParseResult, StoreArgument, Streams, int> Run);
