namespace Layerbox.Posix;

/// <summary>Flags of open(2), by their Linux values (x86-64 and arm64 agree on all but O_DIRECTORY and O_NOFOLLOW, of which these are x86-64's).</summary>
[Flags]
public enum OpenFlags
{
    ReadOnly = 0,
    WriteOnly = 1,
    ReadWrite = 2,
    Create = 0x40,
    Exclusive = 0x80,
    NoControllingTerminal = 0x100,
    Truncate = 0x200,
    Append = 0x400,
    NonBlocking = 0x800,
    Directory = 0x10000,
    NoFollow = 0x20000,
    CloseOnExec = 0x80000,
    PathOnly = 0x200000,
    /// <summary>O_TMPFILE: a file without a name in the given directory.</summary>
    TemporaryFile = 0x410000,
}
