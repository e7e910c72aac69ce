using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot.Serving;

/// <summary>What a connection is at.</summary>
internal enum ConnectionState
{
    /// <summary>A request is to come.</summary>
    Reading,

    /// <summary>Something must be known before it can be answered.</summary>
    Waiting,

    /// <summary>An answer is on its way.</summary>
    Sending,

    /// <summary>All is said; the client may still be talking, and would not hear our answer if we hung up.</summary>
    Draining,

    Closed,
}

/// <summary>One client. What it costs while nothing is asked is this object and its socket.</summary>
/// <param name="socket">The connection.</param>
/// <param name="slot">What it is called in the queue.</param>
internal sealed class ClientConnection(SafeFileHandle socket, int slot)
{
    public SafeFileHandle Socket => socket;

    public int Slot => slot;

    public ConnectionState State { get; set; } = ConnectionState.Reading;

    /// <summary>What it is watched for.</summary>
    public Readiness Interest { get; set; } = Readiness.Input;

    /// <summary>When patience ends, in milliseconds of the loop's clock.</summary>
    public long Deadline { get; set; }

    /// <summary>What came and is not yet answered; null while that is nothing.</summary>
    public byte[]? Pending { get; private set; }

    public int PendingLength { get; private set; }

    /// <summary>What is being answered.</summary>
    public HttpRequest? Request { get; set; }

    /// <summary>Status of the answer.</summary>
    public int Status { get; set; }

    /// <summary>Whether the connection goes on after the answer.</summary>
    public bool IsKept { get; set; }

    /// <summary>The rest of the answer's head, and of a body that is text.</summary>
    public ReadOnlyMemory<byte> Head { get; set; }

    /// <summary>The file of the answer's body; null when there is none.</summary>
    public ServedObject? Body { get; set; }

    /// <summary>What of it is still to be sent.</summary>
    public ByteRange Rest { get; set; }

    /// <summary>Bytes of the body that were sent.</summary>
    public long Sent { get; set; }

    /// <summary>Keeps bytes behind those that are kept already.</summary>
    public void Keep(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return;
        if (Pending is null || Pending.Length - PendingLength < bytes.Length)
        {
            byte[] larger = new byte[Math.Max(PendingLength + bytes.Length, 2 * PendingLength)];
            Pending?.AsSpan(0, PendingLength).CopyTo(larger);
            Pending = larger;
        }
        bytes.CopyTo(Pending.AsSpan(PendingLength));
        PendingLength += bytes.Length;
    }

    /// <summary>Takes the first bytes of what is kept away.</summary>
    public void Drop(int count)
    {
        PendingLength -= count;
        if (PendingLength == 0)
            Pending = null;
        else
            Pending.AsSpan(count, PendingLength).CopyTo(Pending);
    }
}
