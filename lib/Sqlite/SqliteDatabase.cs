using System.Runtime.InteropServices;
using System.Text;
using static Layerbox.Sqlite.SqliteNative;

namespace Layerbox.Sqlite;

/// <summary>An SQLite database in a file. For one thread at a time.</summary>
public sealed unsafe class SqliteDatabase : SafeHandle
{
    /// <summary>One that is not open, as handles are made.</summary>
    public SqliteDatabase() : base(0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The library's version, as 3040001 for 3.40.1.</summary>
    public static int LibraryVersion => sqlite3_libversion_number();

    /// <summary>Opens a database.</summary>
    /// <param name="path">The file's path, in bytes.</param>
    /// <param name="isWritable">Whether it may be changed, and is made when it is not there.</param>
    /// <param name="patience">Milliseconds to wait for others that have it locked.</param>
    /// <exception cref="SqliteException">It cannot be opened. That it is no database may only be found when it is asked something.</exception>
    public static SqliteDatabase Open(ReadOnlySpan<byte> path, bool isWritable, int patience)
    {
        SqliteDatabase database = new();
        nint raw = 0;
        int code;
        fixed (byte* p = (byte[])[.. path, 0])
            code = sqlite3_open_v2(p, &raw, (isWritable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOFOLLOW, null);
        database.SetHandle(raw); // there is one to be closed after most failures, too
        if (code != SQLITE_OK)
        {
            database.Dispose();
            throw SqliteException.Of(code);
        }
        database.Patience(patience);
        return database;
    }

    /// <summary>From now on so many milliseconds are waited for others that have it locked.</summary>
    public void Patience(int milliseconds) => _ = sqlite3_busy_timeout(this, milliseconds); // fails of what is no database alone

    /// <summary>Another number when others have changed the database, as of the last step of a statement; our own changes do not count.</summary>
    public uint DataVersion
    {
        get
        {
            uint version = 0;
            int code = sqlite3_file_control(this, null, SQLITE_FCNTL_DATA_VERSION, &version);
            return code == SQLITE_OK ? version : throw SqliteException.Of(code, this);
        }
    }

    /// <summary>The id of the row that was inserted last.</summary>
    public long LastRow => sqlite3_last_insert_rowid(this);

    /// <summary>Runs statements that have no parameters, one after another; rows are passed over.</summary>
    public void Execute(params ReadOnlySpan<string> statements)
    {
        foreach (string sql in statements)
        {
            using SqliteStatement statement = Prepare(sql);
            while (statement.Step())
            {
            }
        }
    }

    /// <summary>The number in the first column of the first row.</summary>
    public long Number(string sql)
    {
        using SqliteStatement statement = Prepare(sql);
        return statement.Step() ? statement.Number(0) : throw new SqliteException(SQLITE_DONE, $"sqlite: no row: {sql}");
    }

    /// <summary>Prepares one statement, whose parameters are bound and whose rows are read; several times, if need be.</summary>
    public SqliteStatement Prepare(string sql)
    {
        nint statement = 0;
        byte[] text = Encoding.UTF8.GetBytes(sql);
        fixed (byte* p = text)
        {
            int code = sqlite3_prepare_v2(this, p, text.Length, &statement, null);
            return code == SQLITE_OK ? new SqliteStatement(this, statement) : throw SqliteException.Of(code, this);
        }
    }

    protected override bool ReleaseHandle() => sqlite3_close_v2(handle) == SQLITE_OK;
}
