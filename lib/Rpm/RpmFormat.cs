using System.Globalization;

namespace Layerbox.Rpm;

/// <summary>Numbers of the package format, and how its defects are worded.</summary>
internal static class RpmFormat
{
    public const int LeadSize = 96;
    public const int HeaderIntroSize = 16;
    public const int EntrySize = 16;

    // rpm 4.18, lib/header.c: what hdrchkTags and hdrchkData let pass, and the narrower limits of signature headers.
    public const int MaxEntries = 0xFFFF, MaxSignatureEntries = 32;
    public const int MaxData = (256 << 20) - 1, MaxSignatureData = 64 << 20;

    public static ReadOnlySpan<byte> LeadMagic => [0xED, 0xAB, 0xEE, 0xDB];

    /// <summary>The magic of a header structure, its version 1 included, and four bytes that are reserved and zero.</summary>
    public static ReadOnlySpan<byte> HeaderMagic => [0x8E, 0xAD, 0xE8, 0x01, 0, 0, 0, 0];

    public static string NameOf(RpmHeaderKind kind) => kind == RpmHeaderKind.Signature ? "signature header" : "header";

    public static InvalidDataException Error(long offset, string what, string reason) =>
        new(string.Create(CultureInfo.InvariantCulture, $"offset {offset}: {what}: {reason}"));
}
