namespace Layerbox.SendStream;

/// <summary>Decodes LZO1X, the only form of LZO in btrfs (Linux, Documentation/staging/lzo.rst).</summary>
internal static class Lzo1x
{
    /// <summary>Decodes one block up to its end mark. Gives the count of bytes produced.</summary>
    /// <exception cref="InvalidDataException">Corrupt, ends too early, or decodes to more than the destination holds.</exception>
    public static int Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        const int FirstLiteralBias = 17, LongRun = 4;
        Cursor cursor = new(source, destination);
        int literals = 0; // how many the last instruction copied, 4 standing for more: decides what opcodes below 16 mean
        if (!source.IsEmpty && source[0] > FirstLiteralBias)
        {
            int run = cursor.NextByte() - FirstLiteralBias;
            cursor.CopyLiterals(run);
            literals = Math.Min(run, LongRun);
        }
        while (true)
        {
            int opcode = cursor.NextByte();
            int low;
            if (opcode >= 0x40) // 1LLDDDSS H, 01LDDDSS H
            {
                int length = opcode >= 0x80 ? 5 + ((opcode >> 5) & 3) : 3 + ((opcode >> 5) & 1);
                low = opcode;
                cursor.CopyMatch((cursor.NextByte() << 3) + ((opcode >> 2) & 7) + 1, length);
            }
            else if (opcode >= 0x20) // 001LLLLL and 16 bits of DDDDDDDDDDDDDDSS
            {
                int length = 2 + cursor.Length(opcode & 0x1F, 0x1F);
                low = cursor.NextWord();
                cursor.CopyMatch((low >> 2) + 1, length);
            }
            else if (opcode >= 0x10) // 0001HLLL and 16 bits of DDDDDDDDDDDDDDSS
            {
                int length = 2 + cursor.Length(opcode & 7, 7);
                low = cursor.NextWord();
                int distance = ((opcode & 8) << 11) + (low >> 2);
                if (distance == 0)
                    return cursor.Produced;
                cursor.CopyMatch(distance + 0x4000, length);
            }
            else if (literals == 0) // 0000LLLL
            {
                cursor.CopyLiterals(3 + cursor.Length(opcode, 0xF));
                literals = LongRun;
                continue;
            }
            else // 0000DDSS H
            {
                low = opcode;
                int distance = (cursor.NextByte() << 2) + (opcode >> 2);
                if (literals == LongRun)
                    cursor.CopyMatch(distance + 0x801, 3);
                else
                    cursor.CopyMatch(distance + 1, 2);
            }
            literals = low & 3;
            cursor.CopyLiterals(literals);
        }
    }

    private ref struct Cursor(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        private readonly ReadOnlySpan<byte> _source = source;
        private readonly Span<byte> _destination = destination;
        private int _read;

        public int Produced { get; private set; }

        public int NextByte() => _read < _source.Length ? _source[_read++] : throw new InvalidDataException("the lzo data ends too early");

        public int NextWord() => NextByte() | (NextByte() << 8);

        /// <summary>A length that does not fit into its opcode goes on in bytes: 255 for each zero, then the rest.</summary>
        public int Length(int given, int most)
        {
            if (given != 0)
                return given;
            int length = most, next;
            while ((next = NextByte()) == 0)
                length += 255; // one per byte of source, so it cannot overflow
            return length + next;
        }

        public void CopyLiterals(int count)
        {
            if (count > _source.Length - _read)
                throw new InvalidDataException("the lzo data ends too early");
            Room(count);
            _source.Slice(_read, count).CopyTo(_destination[Produced..]);
            _read += count;
            Produced += count;
        }

        public void CopyMatch(int distance, int length)
        {
            if (distance > Produced)
                throw new InvalidDataException($"the lzo data refers {distance} bytes back where only {Produced} were decoded");
            Room(length);
            for (int end = Produced + length; Produced < end; Produced++) // byte by byte: a match may overlap itself
                _destination[Produced] = _destination[Produced - distance];
        }

        private readonly void Room(int count)
        {
            if (count > _destination.Length - Produced)
                throw new InvalidDataException($"the lzo data decodes to more than {_destination.Length} bytes");
        }
    }
}
