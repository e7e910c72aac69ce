using System.Globalization;
using System.Text;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

public class ByteWriterTests
{
    private static string Written(Action<ByteWriter> write)
    {
        using MemoryStream output = new();
        ByteWriter writer = new(output);
        write(writer);
        writer.Flush();
        return Encoding.ASCII.GetString(output.ToArray());
    }

    /// <summary>All numbers of up to four digits, which decides about each step of the conversion, those around powers of ten, and some at random of every length.</summary>
    private static IEnumerable<ulong> Numbers()
    {
        for (ulong number = 0; number < 10_000; number++)
        {
            yield return number;
            yield return number * 10_000 + 9_999 - number;
        }
        for (ulong power = 10; ; power *= 10)
        {
            yield return power - 1;
            yield return power;
            if (power > ulong.MaxValue / 10)
                break;
        }
        Random random = new(7);
        for (int i = 0; i < 20_000; i++)
            yield return (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64);
        yield return ulong.MaxValue;
    }

    [Fact]
    public void Numbers_are_those_of_the_framework() => Assert.All(Numbers().Chunk(1000), some =>
        Assert.Equal(string.Join(' ', some.Select(n => n.ToString(CultureInfo.InvariantCulture))) + " ", Written(w => Array.ForEach(some, n =>
        {
            w.Add(n);
            w.Add((byte)' ');
        }))));

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(-1234567890123)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public void Signs_too(long number) => Assert.Equal(number.ToString(CultureInfo.InvariantCulture), Written(w => w.Add(number)));

    [Fact]
    public void Short_texts_are_followed_by_nothing()
    {
        string longest = new('x', ShortText.MaxLength);
        Assert.Equal($"ab{longest}", Written(w =>
        {
            w.Add(new ShortText("ab"));
            w.Add(new ShortText(longest));
        }));
        Assert.Throws<ArgumentException>(() => new ShortText(longest + "x"));
    }
}
