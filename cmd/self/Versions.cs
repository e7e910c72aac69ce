using System.CommandLine;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Layerbox.Posix;

namespace Layerbox.Cmd;

/// <summary>Our version and those of everything that is linked in, which no package manager can see.</summary>
internal static partial class Versions
{
    public static List<string> Lines() =>
    [
        $"{Dispatcher.Self} {Own}",
        RuntimeInformation.FrameworkDescription,
        $"System.CommandLine {ThreeParts(typeof(Command).Assembly)}",
        .. Compression.Compressed.Versions(),
        $"SQLite {Sqlite.SqliteDatabase.LibraryVersion / 1000000}.{Sqlite.SqliteDatabase.LibraryVersion / 1000 % 1000}.{Sqlite.SqliteDatabase.LibraryVersion % 1000}",
        $"OpenSSL {OpenSsl(SafeEvpPKeyHandle.OpenSslVersion)}",
        $"glibc {StandardStreams.LibcVersion}",
    ];

    // OPENSSL_VERSION_NUMBER: 0xMNN00PP0, major, minor and patch.
    private static string OpenSsl(long number) => $"{number >> 28 & 0xF}.{number >> 20 & 0xFF}.{number >> 4 & 0xFF}";
}
