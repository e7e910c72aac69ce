using Layerbox.FileTree;

namespace Layerbox.Tests.SendStream;

public class CanonicalPropertyTests
{
    private const int Pairs = 250;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void The_difference_of_two_trees_makes_the_one_of_the_other(uint version)
    {
        for (int seed = 0; seed < Pairs; seed++)
        {
            RandomChanges random = new(seed);
            Tree parent = random.Make(), tree = seed % 10 == 9 ? new RandomChanges(seed + Pairs).Make() : random.Change(parent);
            byte[] stream = CanonicalText.Write(parent, tree, version);
            try
            {
                Assert.Empty(TreeDifference.Compare(tree, CanonicalText.Apply(stream, parent)));
                // The same states in other objects, made in another order.
                Assert.Equal(stream, CanonicalText.Write(Again(parent), Again(tree), version));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"seed {seed}, version {version}: {string.Join('\n', CanonicalText.Describe(stream))}", e);
            }
        }
    }

    private static Tree Again(Tree tree)
    {
        Tree again = new(tree.Root.CopyWithoutChildren());
        Dictionary<Inode, Inode> made = new(ReferenceEqualityComparer.Instance) { [tree.Root] = again.Root };
        Stack<Inode> open = new([tree.Root]);
        while (open.TryPop(out Inode? folder))
            foreach ((FileName name, Inode child) in folder.Children.Reverse())
            {
                if (!made.TryGetValue(child, out Inode? twin))
                {
                    made.Add(child, twin = child.CopyWithoutChildren());
                    if (child.Content is MemoryContent content)
                        twin.Content = new MemoryContent([.. content.Bytes]);
                    if (child.IsDirectory)
                        open.Push(child);
                }
                made[folder].Add(name, twin);
            }
        return again;
    }
}
