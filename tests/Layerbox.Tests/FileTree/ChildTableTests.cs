using FsCheck;
using FsCheck.Fluent;
using Layerbox.FileTree;

namespace Layerbox.Tests.FileTree;

public class ChildTableTests
{
    /// <summary>Adds, removes and walks at random, against the framework's sorted dictionary.</summary>
    [Theory]
    [InlineData(50, 400)]
    [InlineData(500, 2000)]
    [InlineData(20000, 60000)]
    public void Behaves_as_a_sorted_dictionary(int names, int steps)
    {
        Random random = new(names);
        Inode directory = Inode.Directory(0);
        SortedDictionary<string, Inode> model = new(StringComparer.Ordinal);
        for (int i = 0; i < steps; i++)
        {
            string name = $"n{random.Next(names)}";
            if (random.Next(3) == 0)
            {
                Assert.Equal(model.Remove(name), directory.Remove(new FileName(name)));
            }
            else if (model.ContainsKey(name))
            {
                Assert.Throws<InvalidOperationException>(() => directory.Add(new FileName(name), Inode.Fifo(0)));
            }
            else
            {
                model[name] = Inode.Fifo(0);
                directory.Add(new FileName(name), model[name]);
            }
            Assert.Equal(model.Count, directory.ChildCount);
            Assert.Same(model.GetValueOrDefault(name), directory.Child(new FileName(name)));
            if (random.Next(steps / 10) == 0)
                Assert.Equal(model.Select(e => (e.Key, e.Value)), directory.Children.Select(e => (e.Key.ToString(), e.Value)));
        }
        Assert.Equal(model.Select(e => (e.Key, e.Value)), directory.Children.Select(e => (e.Key.ToString(), e.Value)));
        Assert.All(model.Values, inode => Assert.Equal(1, inode.Links));
    }

    [Fact]
    public void Any_order_of_names_gives_the_canonical_order() =>
        Prop.ForAll<NonEmptyArray<NonEmptyArray<byte>>>(given =>
        {
            Inode directory = Inode.Directory(0);
            byte[][] names = [.. given.Get.Select(n => n.Get.Select(b => b is 0 or (byte)'/' or (byte)'.' ? (byte)255 : b).ToArray())];
            foreach (byte[] name in names)
                if (directory.Child(new FileName(name)) is null)
                    directory.Add(new FileName(name), Inode.Fifo(0));
            return directory.Children.Select(c => Convert.ToHexString(c.Key.Bytes)).SequenceEqual(
                names.Select(n => Convert.ToHexString(n)).Distinct().Order(StringComparer.Ordinal));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Says_that_a_directory_changed_while_it_was_walked()
    {
        Inode directory = Inode.Directory(0);
        directory.Add(new FileName("a"), Inode.Fifo(0));
        directory.Add(new FileName("b"), Inode.Fifo(0));
        Assert.Throws<InvalidOperationException>(() =>
        {
            foreach ((FileName name, _) in directory.Children)
                directory.Remove(name);
        });
    }

    [Fact]
    public void Only_files_have_content() =>
        Assert.Throws<InvalidOperationException>(() => Inode.Fifo(0).Content = new MemoryContent([]));
}
