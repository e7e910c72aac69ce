using System.Globalization;
using Layerbox.Tests.Btrfs;

namespace Layerbox.Tests.Layer;

/// <summary>Generations of layers made of random items: whatever compiles is on disk what it is in memory, and comes out again the same.</summary>
public sealed class RandomLayersTests(SharedVolume shared) : DiskTest(shared), IClassFixture<SharedVolume>
{
    private const int Generations = 5, Items = 14;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Disk_and_model_agree(int seed)
    {
        Random random = new(seed);
        string? parent = null;
        for (int generation = 0; generation < Generations; generation++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"g{generation}");
            string more = (parent is null ? "" : $"\"parent\":\"{parent}.layer\",") + $"\"source_date_epoch\":{generation},";
            // Most random items contradict others: they are added one by one, and stay when the layer still compiles.
            List<string> items = [];
            for (int i = 0; i < Items; i++)
            {
                items.Add(RandomItem(random));
                Tools.Result result = TryCompile(name, string.Join(',', items), more, "--plan");
                if (result.Status == 0)
                    continue;
                Error(result);
                items.RemoveAt(items.Count - 1);
            }
            Built built = Compile(name, string.Join(',', items), more).AssertDiskIsAsModelled();
            items.Reverse();
            Assert.Equal(built.Handle, Compile(name, string.Join(',', items), more).Handle);
            parent = name;
        }
    }

    private static string RandomItem(Random random)
    {
        string path = RandomPath(random), other = RandomPath(random);
        return random.Next(12) switch
        {
            0 or 1 => $$"""{"item":"text","dest":"{{path}}","text":"{{random.Next(3)}}","mode":"0{{random.Next(4)}}{{random.Next(8)}}44","user":{{random.Next(2)}}}""",
            2 or 3 => $$"""{"item":"ensure_dirs","path":"{{path}}"}""",
            4 => $$"""{"item":"ensure_dirs","path":"{{path}}","mode":"1{{random.Next(8)}}55","group":{{random.Next(2)}}}""",
            5 or 6 => $$"""{"item":"symlink","link":"{{path}}","target":"{{other}}"}""",
            7 => $$"""{"item":"hardlink","link":"{{path}}","target":"{{other}}"}""",
            8 => $$"""{"item":"mknod","path":"{{path}}","type":"fifo"}""",
            9 => $$"""{"item":"text","dest":"{{path}}","text":"x","xattrs":{"user.a":"{{random.Next(2)}}" } }""",
            _ => $$"""{"item":"remove","path":"{{path}}","must_exist":{{(random.Next(2) == 0 ? "true" : "false")}}}""",
        };
    }

    private static string RandomPath(Random random) => string.Concat(Enumerable.Range(0, 1 + random.Next(3)).Select(_ => $"/{(char)('a' + random.Next(3))}"));
}
