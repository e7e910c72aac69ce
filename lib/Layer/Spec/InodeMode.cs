namespace Layerbox.Layer;

/// <summary>Modes as people write them: octal, or symbolic and additive on 0.</summary>
public static class InodeMode
{
    public const uint All = 0xFFF; // 07777
    public const uint Directory = 0x1ED; // 0755
    public const uint Program = 0x16D; // 0555
    public const uint Data = 0x124; // 0444

    /// <summary>"0755", "u+rwx,og+rx". Classes u, g, o, a; permissions r, w, x, s, t; only "+" is known.</summary>
    public static bool TryParse(string text, out uint mode)
    {
        mode = 0;
        if (text.Length is >= 1 and <= 5 && text.All(c => c is >= '0' and <= '7'))
        {
            mode = Convert.ToUInt32(text, 8);
            return mode <= All;
        }
        foreach (string clause in text.Split(','))
        {
            int plus = clause.IndexOf('+', StringComparison.Ordinal);
            if (plus < 1 || plus == clause.Length - 1)
                return false;
            uint classes = 0;
            foreach (char c in clause.AsSpan(0, plus))
            {
                uint bits = c switch { 'u' => 4u, 'g' => 2u, 'o' => 1u, 'a' => 7u, _ => 0u };
                if (bits == 0)
                    return false;
                classes |= bits;
            }
            foreach (char p in clause.AsSpan(plus + 1))
            {
                uint bit = p switch { 'r' => 4u, 'w' => 2u, 'x' => 1u, _ => 0u };
                if (bit > 0)
                    mode |= ((classes & 4) != 0 ? bit << 6 : 0) | ((classes & 2) != 0 ? bit << 3 : 0) | ((classes & 1) != 0 ? bit : 0);
                else if (p == 's')
                    mode |= ((classes & 4) != 0 ? 0x800u : 0) | ((classes & 2) != 0 ? 0x400u : 0);
                else if (p == 't')
                    mode |= 0x200;
                else
                    return false;
            }
        }
        return true;
    }

    public static string Text(uint mode) => "0" + Convert.ToString(mode, 8).PadLeft(3, '0');
}
