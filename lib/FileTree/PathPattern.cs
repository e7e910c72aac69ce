namespace Layerbox.FileTree;

/// <summary>
/// A pattern of paths from the root of a tree, over bytes: * stands for any bytes of one name, ? for one byte of a name, ** for any bytes over
/// several names, and "**/" at the beginning of a name also for no name at all. A backslash takes the next byte as it is.
/// </summary>
public sealed class PathPattern
{
    private readonly Token[] _tokens;

    /// <param name="pattern">The pattern; slashes at its ends mean nothing.</param>
    public PathPattern(ReadOnlySpan<byte> pattern) => _tokens = [.. Parse(pattern.Trim((byte)'/'))];

    private enum Kind
    {
        Byte,
        One, // but a slash
        Many, // but no slash
        All,
        Names, // none, or some that end with a slash
    }

    /// <summary>Whether the whole path matches. Takes the product of both lengths at most.</summary>
    public bool Matches(ReadOnlySpan<byte> path)
    {
        // Before which tokens the bytes so far may have led.
        bool[] now = new bool[_tokens.Length + 1], next = new bool[_tokens.Length + 1];
        Reach(now, 0);
        foreach (byte b in path)
        {
            Array.Clear(next);
            for (int at = 0; at < _tokens.Length; at++)
                if (now[at])
                    Step(_tokens[at], b, next, at);
            (now, next) = (next, now);
        }
        return now[_tokens.Length];
    }

    private void Step(Token token, byte b, bool[] next, int at)
    {
        switch (token.Kind)
        {
            case Kind.Byte when b == token.Value:
            case Kind.One when b != '/':
                Reach(next, at + 1);
                break;
            case Kind.Many when b != '/':
            case Kind.All:
                Reach(next, at);
                break;
            case Kind.Names:
                next[at] = true;
                if (b == '/')
                    Reach(next, at + 1);
                break;
        }
    }

    /// <summary>Marks a token as reached, and those behind it as long as these may stand for nothing.</summary>
    private void Reach(bool[] reached, int at)
    {
        while (at < _tokens.Length && _tokens[at].Kind is (Kind.Many or Kind.All or Kind.Names))
            reached[at++] = true;
        reached[at] = true;
    }

    private static List<Token> Parse(ReadOnlySpan<byte> pattern)
    {
        List<Token> tokens = [];
        for (int i = 0; i < pattern.Length; i++)
        {
            bool isNameStart = i == 0 || pattern[i - 1] == '/';
            if (isNameStart && pattern[i..].StartsWith("**/"u8))
            {
                tokens.Add(new Token(Kind.Names));
                i += 2;
            }
            else if (pattern[i..].StartsWith("**"u8))
            {
                tokens.Add(new Token(Kind.All));
                i++;
            }
            else if (pattern[i] == '*')
                tokens.Add(new Token(Kind.Many));
            else if (pattern[i] == '?')
                tokens.Add(new Token(Kind.One));
            else
            {
                if (pattern[i] == '\\' && i + 1 < pattern.Length)
                    i++;
                tokens.Add(new Token(Kind.Byte, pattern[i]));
            }
        }
        return tokens;
    }

    private readonly record struct Token(Kind Kind, byte Value = 0);
}
