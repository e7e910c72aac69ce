using System.Xml.Linq;

namespace Layerbox.Tests.Cmd;

/// <summary>The arrows between the rooms are those of docs/rooms.md.</summary>
public class RoomTests
{
    [Fact]
    public void Projects_refer_to_each_other_as_the_table_says()
    {
        SortedDictionary<string, string> table = new(StringComparer.Ordinal), projects = new(StringComparer.Ordinal);
        foreach (string[] row in File.ReadLines(Repository.PathOf("docs", "rooms.md")).Where(l => l.StartsWith('|')).Skip(2).Select(l => l.Split('|')))
            table[row[1].Trim()] = Sorted(row[2].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
        IEnumerable<string> files = Directory.EnumerateFiles(Repository.PathOf("lib"), "*.csproj", SearchOption.AllDirectories)
            .Concat(Directory.EnumerateFiles(Repository.PathOf("cmd"), "*.csproj", SearchOption.AllDirectories));
        foreach (string file in files)
        {
            projects[Path.GetFileNameWithoutExtension(file)] = Sorted(XDocument.Load(file).Descendants("ProjectReference")
                .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value)));
        }
        Assert.Equal(table, projects);
    }

    [Fact]
    public void All_projects_are_in_the_solution()
    {
        string solution = File.ReadAllText(Repository.PathOf("tools.sln"));
        IEnumerable<string> files = new[] { "lib", "cmd", "tests" }
            .SelectMany(top => Directory.EnumerateFiles(Repository.PathOf(top), "*.csproj", SearchOption.AllDirectories));
        Assert.All(files, file => Assert.Contains(Path.GetFileName(file), solution, StringComparison.Ordinal));
    }

    private static string Sorted(IEnumerable<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal));
}
