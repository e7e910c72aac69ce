using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>The arguments as they were given. .NET decodes them as UTF-8 and loses bytes that are not; the kernel still has them.</summary>
internal static class RawArguments
{
    public static string InvokedAs => Environment.GetCommandLineArgs()[0];

    public static string[] Restore(string[] args)
    {
        if (!args.Any(a => a.Contains('\uFFFD')))
            return args;
        List<string> raw = [];
        foreach (byte[] argument in Split(File.ReadAllBytes("/proc/self/cmdline")))
            raw.Add(PathText.FromBytes(argument));
        return raw.Count < args.Length ? args : [.. raw.TakeLast(args.Length)];
    }

    private static IEnumerable<byte[]> Split(byte[] cmdline)
    {
        for (int at = 0; at < cmdline.Length;)
        {
            int end = Array.IndexOf(cmdline, (byte)0, at);
            yield return cmdline[at..end];
            at = end + 1;
        }
    }
}
