using System.Runtime.InteropServices;

namespace Layerbox.Sqlite;

/// <summary>libsqlite3. Names are those of sqlite3.h (3.40).</summary>
internal static unsafe partial class SqliteNative
{
    private const string Name = "libsqlite3.so.0";

    public const int SQLITE_OK = 0;
    public const int SQLITE_ROW = 100;
    public const int SQLITE_DONE = 101;
    public const int SQLITE_NULL = 5;
    public const int SQLITE_FCNTL_DATA_VERSION = 35;
    public const int SQLITE_OPEN_READONLY = 1;
    public const int SQLITE_OPEN_READWRITE = 2;
    public const int SQLITE_OPEN_CREATE = 4;
    public const int SQLITE_OPEN_NOFOLLOW = 0x01000000;

    /// <summary>The library copies what is bound before the call returns.</summary>
    public const nint SQLITE_TRANSIENT = -1;

    [LibraryImport(Name)] public static partial int sqlite3_libversion_number();
    [LibraryImport(Name)] public static partial int sqlite3_open_v2(byte* path, nint* database, int flags, byte* vfs);
    [LibraryImport(Name)] public static partial int sqlite3_close_v2(nint database);
    [LibraryImport(Name)] public static partial byte* sqlite3_errmsg(SqliteDatabase database);
    [LibraryImport(Name)] public static partial byte* sqlite3_errstr(int code);
    [LibraryImport(Name)] public static partial int sqlite3_busy_timeout(SqliteDatabase database, int milliseconds);
    [LibraryImport(Name)] public static partial int sqlite3_file_control(SqliteDatabase database, byte* schema, int operation, void* argument);
    [LibraryImport(Name)] public static partial long sqlite3_last_insert_rowid(SqliteDatabase database);
    [LibraryImport(Name)] public static partial int sqlite3_prepare_v2(SqliteDatabase database, byte* sql, int length, nint* statement, byte** tail);
    [LibraryImport(Name)] public static partial int sqlite3_finalize(nint statement);
    [LibraryImport(Name)] public static partial int sqlite3_step(SqliteStatement statement);
    [LibraryImport(Name)] public static partial int sqlite3_reset(SqliteStatement statement);
    [LibraryImport(Name)] public static partial int sqlite3_bind_null(SqliteStatement statement, int place);
    [LibraryImport(Name)] public static partial int sqlite3_bind_int64(SqliteStatement statement, int place, long value);
    [LibraryImport(Name)] public static partial int sqlite3_bind_text(SqliteStatement statement, int place, byte* text, int length, nint destructor);
    [LibraryImport(Name)] public static partial int sqlite3_bind_blob(SqliteStatement statement, int place, byte* bytes, int length, nint destructor);
    [LibraryImport(Name)] public static partial int sqlite3_column_type(SqliteStatement statement, int place);
    [LibraryImport(Name)] public static partial long sqlite3_column_int64(SqliteStatement statement, int place);
    [LibraryImport(Name)] public static partial byte* sqlite3_column_text(SqliteStatement statement, int place);
    [LibraryImport(Name)] public static partial byte* sqlite3_column_blob(SqliteStatement statement, int place);
    [LibraryImport(Name)] public static partial int sqlite3_column_bytes(SqliteStatement statement, int place);
}
