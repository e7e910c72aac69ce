using System.Runtime.InteropServices;
using System.Text;
using static Layerbox.Sqlite.SqliteNative;

namespace Layerbox.Sqlite;

/// <summary>A prepared statement. Parameters count from 1, columns from 0, as SQLite has them.</summary>
public sealed unsafe class SqliteStatement : SafeHandle
{
    private const int OnStack = 512;

    private readonly SqliteDatabase _database;

    internal SqliteStatement(SqliteDatabase database, nint statement) : base(0, ownsHandle: true)
    {
        _database = database;
        SetHandle(statement);
    }

    public override bool IsInvalid => handle == 0;

    public void Bind(int place, long value) => Check(sqlite3_bind_int64(this, place, value));

    public void Bind(int place, long? value) => Check(value is { } number ? sqlite3_bind_int64(this, place, number) : sqlite3_bind_null(this, place));

    public void Bind(int place, ReadOnlySpan<byte> value)
    {
        byte nothing = 0; // a null pointer would be NULL
        fixed (byte* p = value)
            Check(sqlite3_bind_blob(this, place, p is null ? &nothing : p, value.Length, SQLITE_TRANSIENT));
    }

    public void Bind(int place, string? value)
    {
        if (value is null)
        {
            Check(sqlite3_bind_null(this, place));
            return;
        }
        int most = Encoding.UTF8.GetMaxByteCount(value.Length);
        Span<byte> bytes = most <= OnStack ? stackalloc byte[OnStack] : new byte[most];
        int length = Encoding.UTF8.GetBytes(value, bytes);
        fixed (byte* p = bytes)
            Check(sqlite3_bind_text(this, place, p, length, SQLITE_TRANSIENT));
    }

    /// <summary>Goes to the next row; after the last one the statement can be bound and run again.</summary>
    /// <returns>False when there is none.</returns>
    public bool Step()
    {
        int code = sqlite3_step(this);
        if (code == SQLITE_ROW)
            return true;
        int reset = sqlite3_reset(this);
        return code == SQLITE_DONE ? false : throw SqliteException.Of(reset == SQLITE_OK ? code : reset, _database);
    }

    /// <summary>Forgets the rows that were not read.</summary>
    public void Reset() => _ = sqlite3_reset(this); // it repeats the last step's error, which was thrown

    public bool IsNull(int column) => sqlite3_column_type(this, column) == SQLITE_NULL;

    public long Number(int column) => sqlite3_column_int64(this, column);

    public string? Text(int column)
    {
        byte* text = sqlite3_column_text(this, column);
        return text is null ? null : Encoding.UTF8.GetString(text, sqlite3_column_bytes(this, column));
    }

    /// <summary>The bytes of a column, until the next step.</summary>
    public ReadOnlySpan<byte> Bytes(int column)
    {
        byte* bytes = sqlite3_column_blob(this, column);
        return bytes is null ? [] : new ReadOnlySpan<byte>(bytes, sqlite3_column_bytes(this, column));
    }

    protected override bool ReleaseHandle()
    {
        _ = sqlite3_finalize(handle); // repeats the last step's error
        return true;
    }

    private void Check(int code)
    {
        if (code != SQLITE_OK)
            throw SqliteException.Of(code, _database);
    }
}
