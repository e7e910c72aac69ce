using A = Layerbox.SendStream.SendAttribute;
using Fault = Layerbox.SendStream.SendStreamFault;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.SendStream;

/// <summary>
/// Checks send streams without receiving them: frames, then what the commands mean, applied to a state that holds hashes of names, kinds and
/// sizes, in bounded memory if there is a spool. Inputs that are handed over one after the other are a chain: later ones may build upon earlier ones.
/// </summary>
public sealed class SendStreamCheck : IDisposable
{
    private const int MaxHeldPages = 544; // 3.2 MiB

    private readonly Action<SendStreamFinding> _report;
    private readonly bool _framesOnly;
    private readonly CheckedPages _pages;
    private readonly CheckedSubvolumes _subvolumes;
    private readonly HashSet<Guid> _outside = []; // subvolumes that are not in the set, and were said not to be
    private StreamReceiver<uint> _receiver;
    private Guid _uuid; // of the subvolume that is being described, or was last
    private int _nameLength; // of the subvolume, in bytes
    private int _stream;
    private bool _isSkipping;
    private bool _isWithoutData;

    /// <param name="report">Told of each finding, in the order of the input. What it throws comes out of the check.</param>
    /// <param name="framesOnly">Whether the check ends with lengths and checksums: what the commands say is not looked at.</param>
    /// <param name="limits">What the readers put up with.</param>
    /// <param name="secret">
    /// What the hashes of names are made with: should be random, or who knows it can make a stream in which two names are taken for one.
    /// </param>
    /// <param name="spool">Opens a place for what a few megabytes do not hold; it is asked for at most once. Without it everything is held in memory.</param>
    public SendStreamCheck(Action<SendStreamFinding> report, bool framesOnly = false, SendStreamLimits? limits = null, UInt128 secret = default, Func<CheckSpool>? spool = null)
    {
        (_report, _framesOnly) = (report, framesOnly);
        _pages = new CheckedPages(MaxHeldPages, spool);
        _subvolumes = new CheckedSubvolumes(limits ?? SendStreamLimits.Default, new CheckedNodes(secret, _pages));
        _receiver = new StreamReceiver<uint>(_subvolumes);
    }

    /// <summary>Checks an input up to its end, or to a fault behind which nothing can be read.</summary>
    /// <param name="reader">The input.</param>
    public void Check(SendStreamReader reader)
    {
        (_stream, _uuid) = (0, Guid.Empty);
        _receiver = new StreamReceiver<uint>(_subvolumes); // what an earlier input did not end does not go on in this one
        while (true)
        {
            try
            {
                if (!(_framesOnly ? reader.ReadFrame() : reader.Read()))
                    return;
            }
            catch (SendStreamException e)
            {
                Enter(reader.StreamCount);
                // What belongs to a subvolume that could not be begun is not looked at: it would all be wrong.
                _isSkipping |= e.Kind is K.Subvol or K.Snapshot;
                _report(SendStreamFinding.Of(e));
                if (e.EndsReading)
                    return;
                continue;
            }
            if (!_framesOnly)
                Check(reader.Command, reader.StreamCount);
        }
    }

    public void Dispose() => _pages.Dispose();

    private void Check(SendCommand command, int stream)
    {
        if (Enter(stream) && command.Version == 0)
            _report(SendStreamFinding.Of(SendStreamRemark.VersionZero, command, "the stream says that it is of version 0; btrfs receive takes it for 1"));
        bool isStart = command.Kind is K.Subvol or K.Snapshot;
        _isSkipping &= !isStart;
        if (_isSkipping)
            return;
        LookForWhatIsAbsent(command);
        if (isStart)
            (_uuid, _nameLength) = (command.Uuid(A.Uuid), command.Bytes(A.Path).Length);
        try
        {
            _receiver.Receive(command);
        }
        catch (SendStreamException e)
        {
            _isSkipping = e.Fault == Fault.NoSubvolume; // else every command would be told to have none
            _report(SendStreamFinding.Of(e));
            return;
        }
        SendStreamAudit.LookAtName(command, _nameLength, _report);
        SendStreamAudit.Look(command, command.Kind == K.Chmod ? _receiver.KindOfTarget(command) : null, _report);
    }

    // What is not there is said once. The check goes on as far as it can: whatever the commands take for granted is then taken to be so.
    private void LookForWhatIsAbsent(SendCommand command)
    {
        switch (command.Kind)
        {
            case K.Snapshot when IsAbsent(command.Uuid(A.CloneUuid)):
                Warn(command.Error(Fault.ParentUnknown, $"the parent subvolume {command.Uuid(A.CloneUuid)} is not known; what the stream takes for granted cannot be checked"));
                break;
            case K.Clone when IsAbsent(command.Uuid(A.CloneUuid)):
                Warn(command.Error(Fault.CloneSourceUnknown, $"the clone's source, subvolume {command.Uuid(A.CloneUuid)}, is not known"));
                break;
            case K.UpdateExtent when !_isWithoutData:
                _isWithoutData = true;
                Warn(command.Error(Fault.NoData, "the stream was made without data (send --no-data)"));
                break;
        }

        bool IsAbsent(Guid uuid) => uuid != _uuid && !_subvolumes.IsDescribed(uuid) && _outside.Add(uuid);
        void Warn(SendStreamException e) => _report(SendStreamFinding.Of(e, FindingSeverity.Warning));
    }

    private bool Enter(int stream)
    {
        if (stream == _stream)
            return false;
        (_stream, _isSkipping, _isWithoutData) = (stream, false, false);
        return true;
    }
}
