using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>Whether a systemd-nspawn is too old for us. Only asked of one that failed: to ask costs a fifth of a start.</summary>
internal static class NspawnVersion
{
    /// <summary>The first that has --console=, the newest of the options that we use (systemd's NEWS).</summary>
    public const int Least = 242;

    private const string Name = "systemd ";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>What is wrong with its version; null: nothing, or it does not tell.</summary>
    public static string? Complaint(string program) => Of(program) is { } version and < Least
        ? string.Create(CultureInfo.InvariantCulture, $"{program}: version {version} is too old: {Least} or newer is needed")
        : null;

    // "systemd 252 (252.39-1~deb12u2)" and a line of features.
    internal static int? Parse(string text)
    {
        if (!text.StartsWith(Name, StringComparison.Ordinal))
            return null;
        string digits = string.Concat(text[Name.Length..].TakeWhile(char.IsAsciiDigit));
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int version) ? version : null;
    }

    private static int? Of(string program)
    {
        (SafeFileHandle read, SafeFileHandle write) = Pipes.Make();
        using (read)
        {
            using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite);
            using ChildProcess asked = StartWith(write, nothing);
            if (asked.Wait(Patience) is null)
            {
                asked.Kill(Signal.SIGKILL);
                asked.Wait();
            }
            byte[] buffer = new byte[256];
            // What it left running may hold the other end for ever.
            return Descriptors.WaitReadable(0, read) == 0 ? null : Parse(PathText.FromBytes(buffer.AsSpan(0, Files.Read(read, buffer))));
        }

        ChildProcess StartWith(SafeFileHandle output, SafeFileHandle nothing)
        {
            using (output)
                return ChildProcess.Start(new ProgramStart(program, "--version") { Environment = NspawnArguments.Environment, Input = nothing, Output = output, Error = nothing });
        }
    }
}
