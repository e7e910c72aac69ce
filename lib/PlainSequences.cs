#if LAYERBOX_TESTS
namespace Layerbox.Tests;
#else
namespace Layerbox;
#endif

/// <summary>
/// Operators as System.Linq has them, without its short cuts for sequences that come from other operators. There Select is a virtual generic
/// method, so ahead of time every type of element that is selected from meets every type that is selected to: tens of thousands of
/// methods of which hardly any ever runs, 40 % of the executable, and tables for them that are set up at each start. Being in
/// an enclosing namespace these are found first.
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
}
