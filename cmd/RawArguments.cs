using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>The arguments as they were given. .NET decodes them as UTF-8 and loses bytes that are not; the kernel still has them.</summary>
internal static class RawArguments
{
    private const char Lost = '\uFFFD';

    /// <summary>argv[0]: the name of the link through which we were called.</summary>
    public static string InvokedAs => Environment.GetCommandLineArgs()[0];

    /// <summary>Null when bytes were lost and cannot be had again: better no file than the wrong one.</summary>
    public static string[]? Restore(string[] args)
    {
        if (!args.Any(a => a.Contains(Lost)))
            return args;
        try
        {
            return Restore(args, File.ReadAllBytes("/proc/self/cmdline"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // The last ones are ours: before them stands argv[0], and "dotnet layerbox.dll" in a JIT build.
    internal static string[] Restore(string[] args, byte[] cmdline)
    {
        List<string> raw = [.. Split(cmdline)];
        return [.. raw.TakeLast(args.Length)];
    }

    private static IEnumerable<string> Split(byte[] cmdline)
    {
        for (int at = 0; at < cmdline.Length;)
        {
            int end = Array.IndexOf(cmdline, (byte)0, at);
            yield return PathText.FromBytes(cmdline.AsSpan(at..end));
            at = end + 1;
        }
    }
}
