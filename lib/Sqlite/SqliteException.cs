using System.Runtime.InteropServices;

namespace Layerbox.Sqlite;

/// <summary>SQLite could not do what it was asked for.</summary>
/// <param name="code">Its result code, such as SQLITE_CORRUPT.</param>
/// <param name="message">What it says.</param>
public sealed class SqliteException(int code, string message) : IOException(message)
{
    private const int SQLITE_BUSY = 5;

    /// <summary>The result code.</summary>
    public int Code { get; } = code;

    /// <summary>Whether another process has the database at this moment.</summary>
    public bool IsBusy => (Code & 0xFF) == SQLITE_BUSY;

    internal static unsafe SqliteException Of(int code) => new(code, $"sqlite: {Marshal.PtrToStringUTF8((nint)SqliteNative.sqlite3_errstr(code))}");

    internal static unsafe SqliteException Of(int code, SqliteDatabase database) => new(code, $"sqlite: {Marshal.PtrToStringUTF8((nint)SqliteNative.sqlite3_errmsg(database))}");
}
