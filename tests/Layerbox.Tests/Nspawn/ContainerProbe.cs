namespace Layerbox.Tests.Nspawn;

/// <summary>The program of data/probe.c, which tries inside of a container what a hostile one would.</summary>
internal static class ContainerProbe
{
    private static readonly Lazy<byte[]> Program = new(() =>
    {
        using TempFolder folder = new();
        Programs.Run("gcc", "-static", "-O1", "-w", "-o", folder / "probe", Repository.PathOf("tests", "Layerbox.Tests", "data", "probe.c"));
        return System.IO.File.ReadAllBytes(folder / "probe");
    });

    /// <summary>Puts it into the root as usr/bin/probe.</summary>
    public static ContainerRoot WithProbe(this ContainerRoot root, string mode = "0755")
    {
        ProgramFile.Write(root / "usr/bin/probe", Program.Value, mode);
        return root;
    }
}
