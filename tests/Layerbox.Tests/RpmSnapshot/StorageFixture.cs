namespace Layerbox.Tests.RpmSnapshot;

/// <summary>A storage that remembers what it was asked: a program that keeps a folder. It fails while there is a file "broken" beside it, and get takes as long as a file "slow".</summary>
internal sealed class StorageFixture : IDisposable
{
    private const string Program = """
        #!/bin/sh
        cd "$(dirname "$0")/kept" && echo "$*" >> ../asked
        [ ! -e ../broken ] || { echo "it is broken" >&2; exit 7; }
        case $1 in
          put) mkdir -p "${2%/*}" && cat > "$2.part" && mv "$2.part" "$2" ;;
          get) [ -e "$2" ] || exit 1; head -c 100 "$2"; while [ -e ../slow ]; do sleep 0.05; done; tail -c +101 "$2" ;;
          has) [ -e "$2" ] || exit 1 ;;
          list) find "$2" -type f 2>/dev/null; true ;;
          delete) rm -f "$2" ;;
          *) exit 2 ;;
        esac
        """;

    private readonly TempFolder _folder = new();

    public StorageFixture()
    {
        Directory.CreateDirectory(_folder / "kept");
        ProgramFile.Write(_folder / "program", Program);
    }

    /// <summary>As an option.</summary>
    public string Text => $"command:{_folder.Path}/program";

    /// <summary>What it keeps, as a storage that is a directory.</summary>
    public string Kept => _folder / "kept";

    public string Asked => _folder / "asked";

    /// <summary>Objects that it was asked for, each time.</summary>
    public string[] Gets => [.. File.ReadAllLines(Asked).Where(line => line.StartsWith("get objects/", StringComparison.Ordinal)).Select(line => line[^64..])];

    public void Set(string state, bool isSo)
    {
        if (isSo)
            File.WriteAllText(_folder / state, "");
        else
            File.Delete(_folder / state);
    }

    public string PathOf(string digest) => Path.Combine(Kept, "objects", "sha256", digest[..2], digest);

    public void Dispose() => _folder.Dispose();
}
