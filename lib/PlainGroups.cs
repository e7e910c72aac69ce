#if LAYERBOX_TESTS
namespace Layerbox.Tests;
#else
namespace Layerbox;
#endif

/// <summary>Elements with the same key, in their order.</summary>
internal sealed class Group<TKey, T>(TKey key) : List<T>
{
    public TKey Key { get; } = key;
}

/// <summary>Groups in the order of their first elements; of a key that is not there: nothing.</summary>
internal sealed class Groups<TKey, T>(IEqualityComparer<TKey>? comparer) : List<Group<TKey, T>>
    where TKey : notnull
{
    private readonly Dictionary<TKey, Group<TKey, T>> _byKey = new(comparer);

    public IReadOnlyList<T> this[TKey key] => _byKey.TryGetValue(key, out Group<TKey, T>? group) ? group : [];

    public bool Contains(TKey key) => _byKey.ContainsKey(key);

    public void Add(TKey key, T element)
    {
        if (!_byKey.TryGetValue(key, out Group<TKey, T>? group))
            Add(_byKey[key] = group = new Group<TKey, T>(key));
        group.Add(element);
    }
}

/// <summary>GroupBy and ToLookup, as <see cref="PlainSequences"/> has the other operators.</summary>
internal static class PlainGroups
{
    public static IEnumerable<Group<TKey, T>> GroupBy<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull
    {
        foreach (Group<TKey, T> group in ToGroups(source, key, element => element, comparer))
            yield return group;
    }

    public static Groups<TKey, T> ToGroups<T, TKey>(this IEnumerable<T> source, Func<T, TKey> key)
        where TKey : notnull => ToGroups(source, key, element => element);

    public static Groups<TKey, TValue> ToGroups<T, TKey, TValue>(this IEnumerable<T> source, Func<T, TKey> key, Func<T, TValue> value, IEqualityComparer<TKey>? comparer = null)
        where TKey : notnull
    {
        Groups<TKey, TValue> groups = new(comparer);
        foreach (T element in source)
            groups.Add(key(element), value(element));
        return groups;
    }
}
