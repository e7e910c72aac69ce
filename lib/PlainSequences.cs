#if LAYERBOX_TESTS
namespace Layerbox.Tests;
#else
namespace Layerbox;
#endif

/// <summary>
/// Operators as System.Linq has them, without its short cuts for sequences that come from other operators. There Select is a virtual generic
/// method, so ahead of time every type of element that is selected from meets every type that is selected to: tens of thousands of
/// methods of which hardly any ever runs, 40 % of the executable, and tables for them that are set up at each start. Each sequence of that kind
/// (sorted, distinct, of a type, flattened) brings all of these methods for its type of element, and whatever asks for a first element or an
/// array asks those sequences, so both stand here. Being in an enclosing namespace they are found first.
/// </summary>
internal static class PlainSequences
{
    public static IEnumerable<TResult> Select<T, TResult>(this IEnumerable<T> source, Func<T, TResult> selector)
    {
        foreach (T element in source)
            yield return selector(element);
    }

    public static IEnumerable<TResult> Select<T, TResult>(this IEnumerable<T> source, Func<T, int, TResult> selector)
    {
        int index = 0;
        foreach (T element in source)
            yield return selector(element, index++);
    }

    public static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T element in source)
        {
            if (predicate(element))
                yield return element;
        }
    }

    public static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, int, bool> predicate)
    {
        int index = 0;
        foreach (T element in source)
        {
            if (predicate(element, index++))
                yield return element;
        }
    }

    public static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count)
    {
        if (count <= 0)
            yield break;
        foreach (T element in source)
        {
            yield return element;
            if (--count == 0)
                yield break;
        }
    }

    public static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T element in source)
        {
            if (!predicate(element))
                yield break;
            yield return element;
        }
    }

    public static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)
    {
        foreach (T element in source)
        {
            if (--count < 0)
                yield return element;
        }
    }

    public static IEnumerable<T> Concat<T>(this IEnumerable<T> first, IEnumerable<T> second)
    {
        foreach (T element in first)
            yield return element;
        foreach (T element in second)
            yield return element;
    }

    public static IEnumerable<T> Append<T>(this IEnumerable<T> source, T last)
    {
        foreach (T element in source)
            yield return element;
        yield return last;
    }

    public static IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T first)
    {
        yield return first;
        foreach (T element in source)
            yield return element;
    }

    public static IEnumerable<TResult> SelectMany<T, TResult>(this IEnumerable<T> source, Func<T, IEnumerable<TResult>> selector)
    {
        foreach (T element in source)
            foreach (TResult inner in selector(element))
                yield return inner;
    }

    public static IEnumerable<T> OfType<T>(this System.Collections.IEnumerable source)
    {
        foreach (object? element in source)
        {
            if (element is T wanted)
                yield return wanted;
        }
    }

    public static IEnumerable<T> Distinct<T>(this IEnumerable<T> source, IEqualityComparer<T>? comparer = null)
    {
        HashSet<T> seen = new(comparer);
        foreach (T element in source)
        {
            if (seen.Add(element))
                yield return element;
        }
    }

    public static IEnumerable<T> Union<T>(this IEnumerable<T> first, IEnumerable<T> second) => Distinct(Concat(first, second));

    public static bool Any<T>(this IEnumerable<T> source)
    {
        using IEnumerator<T> elements = source.GetEnumerator();
        return elements.MoveNext();
    }

    public static bool Any<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T element in source)
        {
            if (predicate(element))
                return true;
        }
        return false;
    }

    public static int Count<T>(this IEnumerable<T> source)
    {
        if (source is ICollection<T> collection)
            return collection.Count;
        int count = 0;
        using IEnumerator<T> elements = source.GetEnumerator();
        while (elements.MoveNext())
            checked { count++; }
        return count;
    }

    public static int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate) => Count(Where(source, predicate));

    public static T? FirstOrDefault<T>(this IEnumerable<T> source)
    {
        foreach (T element in source)
            return element;
        return default;
    }

    public static T? FirstOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate) => FirstOrDefault(Where(source, predicate));

    public static T First<T>(this IEnumerable<T> source)
    {
        foreach (T element in source)
            return element;
        throw new InvalidOperationException("the sequence has no elements");
    }

    public static T First<T>(this IEnumerable<T> source, Func<T, bool> predicate) => First(Where(source, predicate));

    public static T? LastOrDefault<T>(this IEnumerable<T> source)
    {
        if (source is IList<T> list)
            return list.Count > 0 ? list[^1] : default;
        T? last = default;
        foreach (T element in source)
            last = element;
        return last;
    }

    public static T? LastOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate) => LastOrDefault(Where(source, predicate));

    public static T Last<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        bool isFound = false;
        T? last = default;
        foreach (T element in Where(source, predicate))
            (last, isFound) = (element, true);
        return isFound ? last! : throw new InvalidOperationException("the sequence has no such element");
    }

    public static T ElementAt<T>(this IEnumerable<T> source, int index) => First(Skip(source, index));

    public static T? MinBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key)
    {
        bool isFound = false;
        T? least = default;
        TKey? leastKey = default;
        foreach (T element in source)
        {
            TKey own = key(element);
            if (!isFound || Comparer<TKey>.Default.Compare(own, leastKey) < 0)
                (least, leastKey, isFound) = (element, own, true);
        }
        return least;
    }

    public static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count)
    {
        List<T> all = ToList(source);
        for (int i = Math.Max(0, all.Count - count); i < all.Count; i++)
            yield return all[i];
    }

    public static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)
    {
        T[] all = ToArray(source);
        for (int i = all.Length - 1; i >= 0; i--)
            yield return all[i];
    }

    public static IEnumerable<T[]> Chunk<T>(this IEnumerable<T> source, int size)
    {
        List<T> chunk = [];
        foreach (T element in source)
        {
            chunk.Add(element);
            if (chunk.Count < size)
                continue;
            yield return chunk.ToArray();
            chunk.Clear();
        }
        if (chunk.Count > 0)
            yield return chunk.ToArray();
    }

    public static IEnumerable<T> DistinctBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key)
    {
        HashSet<TKey> seen = [];
        foreach (T element in source)
        {
            if (seen.Add(key(element)))
                yield return element;
        }
    }

    /// <summary>Each once, as System.Linq has it.</summary>
    public static IEnumerable<T> Except<T>(this IEnumerable<T> source, IEnumerable<T> others)
    {
        HashSet<T> seen = new(others);
        foreach (T element in source)
        {
            if (seen.Add(element))
                yield return element;
        }
    }

    public static IEnumerable<(T1 First, T2 Second)> Zip<T1, T2>(this IEnumerable<T1> first, IEnumerable<T2> second) => Zip(first, second, (a, b) => (a, b));

    public static IEnumerable<TResult> Zip<T1, T2, TResult>(this IEnumerable<T1> first, IEnumerable<T2> second, Func<T1, T2, TResult> selector)
    {
        using IEnumerator<T1> a = first.GetEnumerator();
        using IEnumerator<T2> b = second.GetEnumerator();
        while (a.MoveNext() && b.MoveNext())
            yield return selector(a.Current, b.Current);
    }

    public static bool All<T>(this IEnumerable<T> source, Func<T, bool> predicate)
    {
        foreach (T element in source)
        {
            if (!predicate(element))
                return false;
        }
        return true;
    }

    public static bool Contains<T>(this IEnumerable<T> source, T value) => source is ICollection<T> collection ? collection.Contains(value) : Contains(source, value, null);

    public static bool Contains<T>(this IEnumerable<T> source, T value, IEqualityComparer<T>? comparer)
    {
        comparer ??= EqualityComparer<T>.Default;
        foreach (T element in source)
        {
            if (comparer.Equals(element, value))
                return true;
        }
        return false;
    }

    public static TResult Aggregate<T, TResult>(this IEnumerable<T> source, TResult seed, Func<TResult, T, TResult> next)
    {
        foreach (T element in source)
            seed = next(seed, element);
        return seed;
    }

    public static int Sum<T>(this IEnumerable<T> source, Func<T, int> selector) => checked((int)Sum(source, element => (long)selector(element)));

    public static long Sum<T>(this IEnumerable<T> source, Func<T, long> selector)
    {
        long sum = 0;
        foreach (T element in source)
            checked { sum += selector(element); }
        return sum;
    }

    public static double Sum<T>(this IEnumerable<T> source, Func<T, double> selector)
    {
        double sum = 0;
        foreach (T element in source)
            sum += selector(element);
        return sum;
    }

    public static T Max<T>(this IEnumerable<T> source)
    {
        bool isFound = false;
        T? most = default;
        foreach (T element in source)
        {
            if (!isFound || Comparer<T>.Default.Compare(element, most) > 0)
                (most, isFound) = (element, true);
        }
        return isFound ? most! : throw new InvalidOperationException("the sequence has no elements");
    }

    public static TResult Max<T, TResult>(this IEnumerable<T> source, Func<T, TResult> selector) => Max(Select(source, selector));

    public static Dictionary<TKey, T> ToDictionary<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull => ToDictionary(source, key, element => element, comparer);

    public static Dictionary<TKey, TValue> ToDictionary<T, TKey, TValue>(this IEnumerable<T> source, Func<T, TKey> key, Func<T, TValue> value, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull
    {
        Dictionary<TKey, TValue> values = new(comparer);
        foreach (T element in source)
            values.Add(key(element), value(element));
        return values;
    }

    public static T[] ToArray<T>(this IEnumerable<T> source)
    {
        if (source is ICollection<T> collection)
        {
            if (collection.Count == 0)
                return [];
            T[] all = new T[collection.Count];
            collection.CopyTo(all, 0);
            return all;
        }
        T[] grown = [];
        int count = 0;
        foreach (T element in source)
        {
            if (count == grown.Length)
                Array.Resize(ref grown, Math.Max(4, 2 * count));
            grown[count++] = element;
        }
        Array.Resize(ref grown, count);
        return grown;
    }

    public static List<T> ToList<T>(this IEnumerable<T> source) => new(source);

    public static HashSet<T> ToHashSet<T>(this IEnumerable<T> source, IEqualityComparer<T>? comparer = null) => new(source, comparer);

    public static Sorted<T> Order<T>(this IEnumerable<T> source, IComparer<T>? comparer = null) => OrderBy(source, element => element, comparer);

    public static Sorted<T> OrderDescending<T>(this IEnumerable<T> source, IComparer<T>? comparer = null) => OrderByDescending(source, element => element, comparer);

    public static Sorted<T> OrderBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        new(source, elements => Comparison(elements, key, comparer, isDescending: false));

    public static Sorted<T> OrderByDescending<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        new(source, elements => Comparison(elements, key, comparer, isDescending: true));

    public static Sorted<T> ThenBy<T, TKey>(this Sorted<T> source, Func<T, TKey> key, IComparer<TKey>? comparer = null) =>
        source.Then(elements => Comparison(elements, key, comparer, isDescending: false));

    // By their positions, and each key is asked for once.
    private static Comparison<int> Comparison<T, TKey>(T[] elements, Func<T, TKey> key, IComparer<TKey>? comparer, bool isDescending)
    {
        TKey[] keys = new TKey[elements.Length];
        for (int i = 0; i < keys.Length; i++)
            keys[i] = key(elements[i]);
        comparer ??= Comparer<TKey>.Default;
        return isDescending ? (a, b) => comparer.Compare(keys[b], keys[a]) : (a, b) => comparer.Compare(keys[a], keys[b]);
    }

    /// <summary>A sequence in an order; equal elements stay in theirs.</summary>
    internal sealed class Sorted<T>(IEnumerable<T> source, Func<T[], Comparison<int>> order) : IEnumerable<T>
    {
        public Sorted<T> Then(Func<T[], Comparison<int>> next) => new(source, elements =>
        {
            Comparison<int> first = order(elements), second = next(elements);
            return (a, b) => first(a, b) is var result and not 0 ? result : second(a, b);
        });

        public IEnumerator<T> GetEnumerator()
        {
            T[] elements = ToArray(source);
            if (elements.Length == 0)
                yield break;
            Comparison<int> compare = order(elements);
            int[] positions = new int[elements.Length];
            for (int i = 0; i < positions.Length; i++)
                positions[i] = i;
            Array.Sort(positions, (a, b) => compare(a, b) is var result and not 0 ? result : a.CompareTo(b));
            foreach (int position in positions)
                yield return elements[position];
        }

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
