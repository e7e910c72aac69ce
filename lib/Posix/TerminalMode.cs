using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Layerbox.Posix;

/// <summary>The kernel's struct termios (asm-generic/termbits.h), which is shorter than the C library's.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TerminalMode : IEquatable<TerminalMode>
{
    // asm-generic/termbits.h, termbits-common.h
    private const uint IGNBRK = 1, BRKINT = 2, PARMRK = 8, ISTRIP = 0x20, INLCR = 0x40, IGNCR = 0x80, ICRNL = 0x100, IXON = 0x400;
    private const uint OPOST = 1, CSIZE = 0x30, CS8 = 0x30, PARENB = 0x100, ISIG = 1, ICANON = 2, ECHO = 8, ECHONL = 0x40, IEXTEN = 0x8000;
    private const int VEOF = 4, VTIME = 5, VMIN = 6;

    private uint _input, _output, _control, _local;
    private byte _line;
    private Characters _characters;

    [InlineArray(19)]
    private struct Characters
    {
        private byte _first;
    }

    /// <summary>Every byte through at once and unchanged, in both directions: cfmakeraw(3).</summary>
    public readonly TerminalMode Raw()
    {
        TerminalMode raw = this;
        raw._input &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
        raw._output &= ~OPOST;
        raw._local &= ~(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
        raw._control = (raw._control & ~(CSIZE | PARENB)) | CS8;
        raw._characters[VMIN] = 1;
        raw._characters[VTIME] = 0;
        return raw;
    }

    /// <summary>It passes everything through, as shells and editors of lines never leave it.</summary>
    public readonly bool IsRaw => (_local & (ICANON | ECHO | ISIG)) == 0 && (_output & OPOST) == 0;

    /// <summary>The key that ends input, as long as lines are edited; 0: none.</summary>
    public readonly byte EndOfFile => _characters[VEOF];

    /// <summary>Input is edited and handed over in lines.</summary>
    public readonly bool HasLines => (_local & ICANON) != 0;

    public readonly bool Equals(TerminalMode other) => Bytes(in this).SequenceEqual(Bytes(in other));

    public override readonly bool Equals(object? obj) => obj is TerminalMode mode && Equals(mode);

    public override readonly int GetHashCode() => HashCode.Combine(_input, _output, _control, _local);

    public static bool operator ==(TerminalMode a, TerminalMode b) => a.Equals(b);

    public static bool operator !=(TerminalMode a, TerminalMode b) => !a.Equals(b);

    private static ReadOnlySpan<byte> Bytes(in TerminalMode mode) => MemoryMarshal.AsBytes(new ReadOnlySpan<TerminalMode>(in mode));
}
