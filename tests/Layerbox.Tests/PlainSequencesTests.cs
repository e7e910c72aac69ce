using Linq = System.Linq.Enumerable;

namespace Layerbox.Tests;

/// <summary>The operators that stand in for System.Linq's say what those say.</summary>
public sealed class PlainSequencesTests
{
    public static TheoryData<int[]> Sequences => new()
    {
        Array.Empty<int>(),
        new[] { 7 },
        new[] { 3, 1, 2 },
        new[] { 1, 1, 1 },
        new[] { 5, 3, 5, 4, 3, 12, 13, 22, 2, 5 },
        Linq.ToArray(Linq.Select(Linq.Range(0, 1000), i => i * 7919 % 101)),
    };

    [Theory, MemberData(nameof(Sequences))]
    public void Sorts_as_Linq_does_and_leaves_equal_ones_in_their_order(int[] numbers)
    {
        (int Number, int At)[] all = [.. numbers.Select((number, at) => (number, at))];
        Assert.Equal(Linq.OrderBy(all, one => one.Number % 10), all.OrderBy(one => one.Number % 10));
        Assert.Equal(Linq.OrderByDescending(all, one => one.Number % 10), all.OrderByDescending(one => one.Number % 10));
        Assert.Equal(
            Linq.ThenBy(Linq.OrderByDescending(all, one => one.Number % 10), one => -one.Number),
            all.OrderByDescending(one => one.Number % 10).ThenBy(one => -one.Number));
        Assert.Equal(Linq.Order(numbers), numbers.Order());
        Assert.Equal(Linq.OrderDescending(numbers), numbers.OrderDescending());
        Assert.Equal(Linq.OrderBy(numbers, number => $"{number}", StringComparer.Ordinal), numbers.OrderBy(number => $"{number}", StringComparer.Ordinal));
    }

    [Theory, MemberData(nameof(Sequences))]
    public void Answers_as_Linq_does_for_lists_and_for_what_can_only_be_walked(int[] numbers)
    {
        foreach (IEnumerable<int> source in new[] { numbers, new List<int>(numbers), new HashSet<int>(numbers), Walked(numbers) })
        {
            Assert.Equal(Linq.Count(source), source.Count());
            Assert.Equal(Linq.Any(source), source.Any());
            Assert.Equal(Linq.Any(source, number => number == 22), source.Any(number => number == 22));
            Assert.Equal(Linq.FirstOrDefault(source), source.FirstOrDefault());
            Assert.Equal(Linq.FirstOrDefault(source, number => number > 3), source.FirstOrDefault(number => number > 3));
            Assert.Equal(Linq.LastOrDefault(source), source.LastOrDefault());
            Assert.Equal(Linq.LastOrDefault(source, number => number < 3), source.LastOrDefault(number => number < 3));
            Assert.Equal(Linq.ToArray(source), source.ToArray());
            Assert.Equal(Linq.ToList(source), source.ToList());
            Assert.Equal(Linq.ToHashSet(source), source.ToHashSet());
            Assert.Equal(Linq.Distinct(source), source.Distinct());
            Assert.Equal(Linq.Union(source, [4, 4, 99]), source.Union([4, 4, 99]));
            Assert.Equal(Linq.Append(source, 99), source.Append(99));
            Assert.Equal(Linq.Prepend(source, 99), source.Prepend(99));
            Assert.Equal(Linq.SelectMany(source, number => Linq.Repeat(number, number % 3)), source.SelectMany(number => Linq.Repeat(number, number % 3)));
            Assert.Equal(Linq.OfType<object>(source), source.OfType<object>());
            Assert.Equal(Linq.Reverse(source), source.Reverse());
            Assert.Equal(Linq.TakeLast(source, 2), source.TakeLast(2));
            Assert.Equal(Linq.TakeWhile(source, number => number != 3), source.TakeWhile(number => number != 3));
            Assert.Equal(Linq.Where(source, (number, at) => (number + at) % 2 == 0), source.Where((number, at) => (number + at) % 2 == 0));
            Assert.Equal(Linq.Chunk(source, 3), source.Chunk(3));
            Assert.Equal(Linq.DistinctBy(source, number => number % 4), source.DistinctBy(number => number % 4));
            Assert.Equal(Linq.Except(source, [1, 5]), source.Except([1, 5]));
            Assert.Equal(Linq.Zip(source, Linq.Skip(source, 1)), source.Zip(source.Skip(1)));
            Assert.Equal(Linq.All(source, number => number < 22), source.All(number => number < 22));
            Assert.Equal(Linq.Contains(source, 22), source.Contains(22));
            Assert.Equal(Linq.Count(source, number => number % 2 == 0), source.Count(number => number % 2 == 0));
            Assert.Equal(Linq.Sum(source, number => (long)number), source.Sum(number => (long)number));
            Assert.Equal(Linq.Aggregate(source, "", (text, number) => text + number), source.Aggregate("", (text, number) => text + number));
            Assert.Equal(Linq.MinBy(source.Select(number => $"{number}"), text => text.Length), source.Select(number => $"{number}").MinBy(text => text.Length));
            Assert.Equal(
                Linq.Select(Linq.GroupBy(source, number => number % 3), group => $"{group.Key}: {string.Join(' ', group)}"),
                source.GroupBy(number => number % 3).Select(group => $"{group.Key}: {string.Join(' ', group)}"));
            Assert.Equal(Linq.ToLookup(source, number => number % 3, number => -number)[2], source.ToGroups(number => number % 3, number => -number)[2]);
            Assert.Equal(Linq.ToDictionary(Linq.Distinct(source), number => -number), source.Distinct().ToDictionary(number => -number));
            if (numbers.Length > 0)
            {
                Assert.Equal(Linq.Max(source), source.Max());
                Assert.Equal(Linq.Max(source, number => number % 5), source.Max(number => number % 5));
                Assert.Equal(Linq.Last(source, number => number >= numbers[0]), source.Last(number => number >= numbers[0]));
                Assert.Equal(Linq.ElementAt(source, 0), source.ElementAt(0));
                Assert.Equal(Linq.First(source), source.First());
            }
            else
            {
                Assert.Throws<InvalidOperationException>(() => source.Max());
                Assert.Throws<InvalidOperationException>(() => source.Last(number => number > 0));
                Assert.Throws<InvalidOperationException>(() => source.First());
            }
        }
    }

    [Fact]
    public void Does_nothing_before_it_is_asked()
    {
        IEnumerable<int> source = Failing();
        _ = source.Distinct();
        _ = source.Union(source);
        _ = source.OrderBy(number => number).ThenBy(number => number);
        _ = source.SelectMany(number => new[] { number });
        _ = source.OfType<string>();
        _ = source.Reverse();
        _ = source.TakeLast(1);
        _ = source.GroupBy(number => number);
        _ = source.Except(source);
        Assert.Throws<NotSupportedException>(() => source.Order().Count());
    }

    [Fact]
    public void Makes_numbers_and_repeats()
    {
        Assert.Equal(Linq.Range(3, 4), Enumerable.Range(3, 4));
        Assert.Equal(Linq.Repeat("a", 3), Enumerable.Repeat("a", 3));
        Assert.Empty(Enumerable.Empty<string>());
    }

    private static IEnumerable<int> Walked(int[] numbers)
    {
        foreach (int number in numbers)
            yield return number;
    }

    private static IEnumerable<int> Failing()
    {
        yield return 1;
        throw new NotSupportedException();
    }
}
