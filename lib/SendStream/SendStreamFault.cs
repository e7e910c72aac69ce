using System.Text.Json;

namespace Layerbox.SendStream;

/// <summary>What can be wrong with a send stream. Programs see the names in snake_case ("crc_mismatch"), as docs/sendstream-check.md lists them.</summary>
public enum SendStreamFault
{
    // Headers and frames: nothing behind such a fault can be read.
    EmptyInput,
    NotASendStream,
    HeaderCut,
    VersionUnknown,
    NoEnd,
    TrailingBytes,
    Restarted,
    CommandCut,
    CommandTooLong,
    CrcMismatch,

    // A command as such, and its attributes.
    CommandUnknown,
    CommandOfNewerVersion,
    AttributeCut,
    AttributeOverrun,
    AttributeUnknown,
    AttributeRepeated,
    AttributeLength,
    AttributeMissing,
    TimeInvalid,
    PathNul,

    // Order of commands, and what streams build upon.
    NoSubvolume,
    SubvolumeCount,
    SubvolumeName,
    SubvolumeRepeated,
    ParentUnknown,

    // Paths.
    PathAbsolute,
    PathIsRoot,
    PathDots,
    PathInvalid,
    PathTooLong,
    NameTooLong,

    // What is at paths, and what is not.
    NotFound,
    Exists,
    NotADirectory,
    ThroughSymlink,
    IsADirectory,
    NotAFile,
    NotEmpty,
    IntoItself,

    // Values.
    TargetInvalid,
    DeviceInvalid,
    ModeInvalid,
    IdInvalid,
    XattrName,
    XattrMissing,
    XattrTooMany,
    RangeTooLarge,
    FallocateModeUnknown,
    NoData,

    // Clones.
    CloneSourceUnknown,
    CloneRange,
    CloneOverlap,
    TooManyRuns,

    // Encoded writes.
    DecodedTooLong,
    EncodedRange,
    EncryptionUnknown,
    CompressionUnknown,
    EncodedCorrupt,
}

/// <summary>The names of faults.</summary>
public static class SendStreamFaults
{
    /// <summary>The fault's name for programs, in snake_case.</summary>
    public static string Code(this SendStreamFault fault) => JsonNamingPolicy.SnakeCaseLower.ConvertName(fault.ToString());
}
