using Layerbox.FileTree;

namespace Layerbox.Layer;

/// <summary>
/// Brings items into the one order that their provides and requires allow, ties broken by their text. What the parent (and the
/// phases before) left in the tree counts as provided. Links in the ancestors of a path are followed inside the image, whether
/// the tree has them already or an item is going to make them.
/// </summary>
public sealed class ItemGraph
{
    private readonly Tree _base;
    private readonly LayerDraft _draft;
    private readonly List<Node> _nodes;
    private readonly Tree _view;
    private readonly Dictionary<Key, List<Provider>> _providers = [];

    private ItemGraph(LayerDraft draft, IEnumerable<Item> items)
    {
        _draft = draft;
        _base = draft.Tree;
        _nodes = items
            .GroupBy(item => item.Text, StringComparer.Ordinal)
            .Select(same => new Node(same.First(), [.. same.First().Provides(draft)], [.. same.First().Requires(draft)]))
            .OrderBy(node => node.Item.Text, StringComparer.Ordinal)
            .ToList();
        _view = ViewWithLinks();
    }

    /// <summary>The items in order, and what must hold once all have run.</summary>
    /// <exception cref="ConflictException">A path has two providers.</exception>
    /// <exception cref="MissingItemException">Nobody provides what an item requires.</exception>
    /// <exception cref="UnsatisfiedException">It is provided as something else.</exception>
    /// <exception cref="CycleException">Items wait for each other.</exception>
    public static SortedItems Sort(LayerDraft draft, IEnumerable<Item> items)
    {
        ItemGraph graph = new(draft, items);
        graph.CollectProviders();
        graph.CheckConflicts();
        graph.Connect();
        return new SortedItems(graph.Order(), [.. graph._nodes.SelectMany(n => n.Requires.Where(r => !r.Ordered).Select(r => (n.Item, r)))]);
    }

    // Links that items will make decide where other items' paths lead, so they are put into a copy of the tree first. A link may
    // itself lie behind a link: it waits until no folder on the way to it is still to become a link.
    private Tree ViewWithLinks()
    {
        List<Provision> links = [.. _nodes.SelectMany(n => n.Provides).Where(p => p.Kind == ProvidedKind.Symlink)];
        if (links.Count == 0)
            return _base;
        Tree view = _base.Copy();
        links = [.. links.Where(l => !l.Key.Path.IsRoot).OrderBy(l => l.Key)];
        while (links.Count > 0)
        {
            List<TreePath> folders = [.. links.Select(l => ResolveOrKeep(view, l.Key.Path.Parent))];
            HashSet<TreePath> toCome = [.. links.Select((l, i) => folders[i].Append(l.Key.Path.Name))];
            List<Provision> waiting = [];
            for (int i = 0; i < links.Count; i++)
                if (!TryPut(view, folders[i], links[i], toCome))
                    waiting.Add(links[i]);
            if (waiting.Count == links.Count)
            {
                // Each waits for another one: whichever way they are taken, the graph is going to refuse them.
                TryPut(view, folders[0], links[0], []);
                waiting.RemoveAt(0);
            }
            links = waiting;
        }
        return view;
    }

    private static bool TryPut(Tree view, TreePath folder, Provision link, HashSet<TreePath> toCome)
    {
        TreePath path = TreePath.Root;
        if (folder.Names.Any(name => toCome.Contains(path = path.Append(name))))
            return false;
        Inode at = view.Root;
        foreach (FileName name in folder.Names)
        {
            if (at.Child(name) is not { } next)
                at.Add(name, next = Inode.Directory(InodeMode.Directory));
            if (!next.IsDirectory)
                return true;
            at = next;
        }
        if (at.Child(link.Key.Path.Name) is null)
            at.Add(link.Key.Path.Name, Inode.Symlink(link.Target!));
        return true;
    }

    // A loop is reported, with the item's name, when the item's own path is resolved.
    private static TreePath ResolveOrKeep(Tree view, TreePath path)
    {
        try
        {
            return view.Resolve(path, followLast: true);
        }
        catch (InvalidDataException)
        {
            return path;
        }
    }

    private (Key Key, List<TreePath> Links) Resolve(Item item, Key key, bool followLast)
    {
        List<TreePath> links = [];
        if (key.Kind != KeyKind.Path || key.Path.IsRoot)
            return (key, links);
        try
        {
            return (Key.OfPath(_view.Resolve(key.Path, followLast, links.Add)), links);
        }
        catch (InvalidDataException e)
        {
            throw item.Error(e.Message);
        }
    }

    private void CollectProviders()
    {
        foreach (Node node in _nodes)
        {
            foreach (Provision provision in node.Provides)
            {
                (Key key, List<TreePath> links) = Resolve(node.Item, provision.Key, followLast: provision.Strength != Strength.Makes);
                if (key.Kind == KeyKind.Path)
                    _draft.CheckNotProtected(node.Item, key.Path);
                node.Links.UnionWith(links);
                if (!_providers.TryGetValue(key, out List<Provider>? list))
                    _providers.Add(key, list = []);
                if (list.Any(p => p.Node == node && p.Provision.Strength == Strength.Makes))
                    throw new ConflictException($"{node.Item.Place}: {node.Item.Label}: {key} is provided twice by the same item");
                list.Add(new Provider(node, provision));
            }
        }
    }

    private void CheckConflicts()
    {
        foreach ((Key key, List<Provider> providers) in _providers.OrderBy(p => p.Key))
        {
            List<Provider> makers = [.. providers.Where(p => p.Provision.Strength == Strength.Makes)];
            if (makers.Count == 0)
                continue;
            Provider first = makers[0];
            bool allSame = first.Provision.SameAs is not null && makers.All(p => p.Provision.SameAs == first.Provision.SameAs);
            if (makers.Count > 1 && !allSame)
                throw new ConflictException($"{makers[1].Node.Item.Place}: {key} is provided by two items: '{first.Node.Item.Label}' and '{makers[1].Node.Item.Label}'{Same(makers)}");
            if (key.Kind == KeyKind.Path && _base.Find(key.Path) is { } existing && !(first.Provision.AcceptsExisting && first.Provision.SameAs == LayerDraft.SameAs(existing)))
                throw new ConflictException($"{first.Node.Item.Place}: {first.Node.Item.Label}: {key} exists already in the parent layer ({Describe(existing.Kind)})");
            if (key.Kind != KeyKind.Path && _draft.Has(key))
                throw new ConflictException($"{first.Node.Item.Place}: {first.Node.Item.Label}: {key} exists already in the parent layer");
            if (first.Provision.Kind is not (ProvidedKind.Directory or ProvidedKind.Symlink) && providers.Find(p => p.Provision.Strength != Strength.Makes) is { } ensurer)
                throw new ConflictException($"{ensurer.Node.Item.Place}: {key} is wanted as a directory by '{ensurer.Node.Item.Label}', but '{first.Node.Item.Label}' makes it a {Describe(first.Provision.Kind)}");
        }
    }

    private static string Same(List<Provider> makers) =>
        makers[0].Node.Item.Label == makers[1].Node.Item.Label ? $" ({makers[0].Node.Item.Place} and {makers[1].Node.Item.Place})" : "";

    private void Connect()
    {
        foreach (List<Provider> providers in _providers.Values)
            foreach (Provider later in providers)
                foreach (Provider earlier in providers)
                    if (earlier.Provision.Strength < later.Provision.Strength)
                        later.Node.After(earlier.Node);
        foreach (Node node in _nodes)
        {
            foreach (Requirement requirement in node.Requires.Where(r => r.Ordered))
            {
                (Key key, List<TreePath> links) = Resolve(node.Item, requirement.Key, followLast: true);
                node.Links.UnionWith(links);
                Require(node, requirement, key);
            }
            foreach (TreePath link in node.Links)
                if (_providers.TryGetValue(Key.OfPath(link), out List<Provider>? makers))
                    foreach (Provider maker in makers.Where(m => m.Provision.Kind == ProvidedKind.Symlink))
                        node.After(maker.Node);
        }
    }

    private void Require(Node node, Requirement requirement, Key key)
    {
        if (_providers.TryGetValue(key, out List<Provider>? providers))
        {
            foreach (Provider provider in providers)
            {
                CheckKind(node, requirement, key, provider.Provision.Kind, $"'{provider.Node.Item.Label}' makes it");
                node.After(provider.Node);
            }
            return;
        }
        if (!_draft.Has(key))
            throw new MissingItemException($"{node.Item.Place}: {node.Item.Label}: {Wanted(requirement)} is required, but nothing provides it");
        if (key.Kind != KeyKind.Path)
            return;
        Inode inode = _base.Find(key.Path)!;
        CheckKind(node, requirement, key, inode.IsDirectory ? ProvidedKind.Directory : ProvidedKind.File, "the parent layer has it");
    }

    private static void CheckKind(Node node, Requirement requirement, Key key, ProvidedKind kind, string who)
    {
        bool good = kind switch
        {
            ProvidedKind.MountPoint => false,
            ProvidedKind.Directory => requirement.Need is Need.Directory or Need.Exists,
            ProvidedKind.File => requirement.Need is not Need.Directory,
            _ => true,
        };
        if (!good)
            throw new UnsatisfiedException($"{node.Item.Place}: {node.Item.Label}: {Wanted(requirement)} is required, but {who} a {Describe(kind)}{(key == requirement.Key ? "" : $" ({key})")}");
    }

    internal static string Wanted(Requirement requirement) => requirement.Need switch
    {
        Need.Directory => $"{requirement.Key} as a directory",
        Need.File => $"{requirement.Key} as a file",
        Need.Executable => $"{requirement.Key} as an executable file",
        Need.LinkTarget => $"what the link {requirement.Key} leads to",
        _ => requirement.Key.ToString(),
    };

    internal static string Describe(ProvidedKind kind) => kind switch
    {
        ProvidedKind.MountPoint => "mount point",
        ProvidedKind.Directory => "directory",
        ProvidedKind.Symlink => "symlink",
        _ => "file",
    };

    private static string Describe(FileKind kind) => kind switch
    {
        FileKind.Directory => "directory",
        FileKind.Symlink => "symlink",
        FileKind.File => "file",
        FileKind.Fifo => "fifo",
        FileKind.Socket => "socket",
        _ => "device",
    };

    private List<Item> Order()
    {
        for (int i = 0; i < _nodes.Count; i++)
            _nodes[i].Index = i; // the nodes are sorted by text
        SortedSet<int> ready = [.. _nodes.Where(n => n.Waiting.Count == 0).Select(n => n.Index)];
        List<Item> order = new(_nodes.Count);
        while (ready.Count > 0)
        {
            Node node = _nodes[ready.Min];
            ready.Remove(node.Index);
            order.Add(node.Item);
            foreach (Node next in node.Followers)
                if (next.Waiting.Remove(node) && next.Waiting.Count == 0)
                    ready.Add(next.Index);
        }
        return order.Count == _nodes.Count ? order : throw new CycleException(DescribeCycle());
    }

    private string DescribeCycle()
    {
        // Every node left waits for another one left; following the smallest each time must come back to where it was.
        Node at = _nodes.First(n => n.Waiting.Count > 0);
        List<Node> path = [];
        while (!path.Contains(at))
        {
            path.Add(at);
            at = at.Waiting.MinBy(n => n.Index)!;
        }
        List<Node> cycle = path[path.IndexOf(at)..];
        int smallest = cycle.IndexOf(cycle.MinBy(n => n.Index)!);
        cycle = [.. cycle[smallest..], .. cycle[..smallest]];
        return $"{cycle[0].Item.Place}: items wait for each other in a circle: {string.Join(" -> ", cycle.Append(cycle[0]).Select(n => $"'{n.Item.Label}'"))}";
    }

    private sealed record Provider(Node Node, Provision Provision);

    private sealed class Node(Item item, List<Provision> provides, List<Requirement> requires)
    {
        public Item Item => item;
        public List<Provision> Provides => provides;
        public List<Requirement> Requires => requires;
        public HashSet<TreePath> Links { get; } = [];
        public HashSet<Node> Waiting { get; } = [];
        public HashSet<Node> Followers { get; } = [];
        public int Index { get; set; }

        public void After(Node other)
        {
            if (other != this && Waiting.Add(other))
                other.Followers.Add(this);
        }
    }
}

/// <summary>The result of sorting: the order, and what must hold at the end.</summary>
public sealed record SortedItems(IReadOnlyList<Item> Items, IReadOnlyList<(Item Item, Requirement Requirement)> AtTheEnd);
