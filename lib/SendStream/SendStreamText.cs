using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.SendStream;

/// <summary>Whose text <see cref="SendStreamText"/> is.</summary>
public enum TextFlavour
{
    /// <summary>btrfs-progs 6.2 and before: names and values of xattrs, and sources of clones, stand as they are, cut at a NUL byte.</summary>
    Progs62,

    /// <summary>btrfs-progs of 2025 (6.19): everything is escaped.</summary>
    Current,
}

/// <summary>
/// Send streams as "btrfs receive --dump" prints them, byte for byte, its odd parts included: decimal digits behind the 0x of flags,
/// lengths of clones as 32-bit integers, sources of clones under the subvolume that is received. Times that the C library cannot
/// express, at which btrfs gives up, are printed as "@seconds".
/// </summary>
/// <param name="output">Takes the lines.</param>
/// <param name="flavour">Of which btrfs-progs.</param>
/// <param name="zone">The time zone in which times are shown.</param>
public sealed class SendStreamText(Stream output, TextFlavour flavour, UtcOffset zone) : CommandWriter
{
    private const int TitleWidth = 16, PathWidth = 32;

    private static readonly SearchValues<byte> s_plain = SearchValues.Create([.. Enumerable.Range(0x21, 0x5E).Select(b => (byte)b).Except("\\"u8.ToArray())]);

    private static readonly byte[][] s_titles =
        [.. Enumerable.Range(0, SendStreamFormat.CommandCount).Select(k => Encoding.ASCII.GetBytes(SendStreamFormat.NameOf((K)k).PadRight(TitleWidth)))];

    private readonly ByteWriter _line = new(output);
    private readonly DumpTime _time = new(zone);
    private byte[] _subvolume = [.. "."u8];
    private byte[] _prefix = [.. "./"u8]; // what stands before paths: the subvolume, escaped, and a slash

    protected override void BeginStream(uint version, long offset) { }

    protected override void Flush() => _line.Flush();

    protected override void Write(SendCommand command)
    {
        K kind = command.Kind;
        if (!SendStreamFormat.IsKnown(kind) || kind == K.End)
            return;
        _line.Add(s_titles[(int)kind]);
        int start = _line.Length;
        if (kind is K.Subvol or K.Snapshot)
        {
            _subvolume = [.. "./"u8, .. WithoutSlash(command.Bytes(A.Path))];
            AddEscaped(_subvolume);
            _prefix = [.. _line.Since(start), (byte)'/'];
        }
        else
            AddPath(command.Bytes(A.Path));
        if (kind is not (K.Mkfile or K.Mkdir or K.Mkfifo or K.Mksock or K.Unlink or K.Rmdir))
        {
            _line.Fill((byte)' ', Math.Max(PathWidth - (_line.Length - start), 1));
            AddDetails(command);
        }
        _line.EndLine();
    }

    private void AddDetails(SendCommand command)
    {
        switch (command.Kind)
        {
            case K.Subvol or K.Snapshot: AddOrigin(command); break;
            case K.Mknod:
                Octal("mode="u8, command, A.Mode);
                _line.Add(" dev=0x"u8);
                _line.AddHex(command.UInt64(A.Rdev));
                break;
            case K.Symlink or K.Link:
                _line.Add("dest="u8);
                AddEscaped(command.Bytes(A.PathLink));
                break;
            case K.Rename:
                _line.Add("dest="u8);
                AddPath(command.Bytes(A.PathTo));
                break;
            case K.SetXattr: AddXattr(command); break;
            case K.RemoveXattr:
                _line.Add("name="u8);
                AddValue(UpToNul(command.Bytes(A.XattrName)));
                break;
            case K.Write:
                Number("offset="u8, command, A.FileOffset);
                _line.Add(" len="u8);
                _line.Add((ulong)command.Bytes(A.Data).Length);
                break;
            case K.Clone: AddClone(command); break;
            case K.Truncate: Number("size="u8, command, A.Size); break;
            case K.Chmod: Octal("mode="u8, command, A.Mode); break;
            case K.Chown:
                Number("gid="u8, command, A.Gid);
                Number(" uid="u8, command, A.Uid);
                break;
            case K.Utimes:
                Time("atime="u8, command, A.Atime);
                Time(" mtime="u8, command, A.Mtime);
                Time(" ctime="u8, command, A.Ctime);
                break;
            case K.UpdateExtent:
                Number("offset="u8, command, A.FileOffset);
                Number(" len="u8, command, A.Size);
                break;
            case K.Fallocate:
                _line.Add("mode="u8);
                _line.Add((long)(int)command.UInt32(A.FallocateMode));
                Number(" offset="u8, command, A.FileOffset);
                Number(" len="u8, command, A.Size);
                break;
            case K.FileAttr: Number("fileattr=0x"u8, command, A.FileAttr); break;
            case K.EncodedWrite: AddEncodedWrite(command); break;
            case K.EnableVerity: AddVerity(command); break;
        }
    }

    private void AddOrigin(SendCommand command)
    {
        _line.Add("uuid="u8);
        _line.AddUuid(command.Uuid(A.Uuid));
        Number(" transid="u8, command, A.Ctransid);
        if (command.Kind != K.Snapshot)
            return;
        _line.Add(" parent_uuid="u8);
        _line.AddUuid(command.Uuid(A.CloneUuid));
        Number(" parent_transid="u8, command, A.CloneCtransid);
    }

    private void AddXattr(SendCommand command)
    {
        ReadOnlySpan<byte> value = command.Bytes(A.XattrData);
        _line.Add("name="u8);
        AddValue(UpToNul(command.Bytes(A.XattrName)));
        _line.Add(flavour == TextFlavour.Progs62 ? " data="u8 : " "u8);
        AddValue(flavour == TextFlavour.Progs62 ? UpToNul(value) : value);
        _line.Add(" len="u8);
        _line.Add((ulong)value.Length);
    }

    private void AddClone(SendCommand command)
    {
        Number("offset="u8, command, A.FileOffset);
        _line.Add(" len="u8);
        _line.Add((ulong)(int)command.UInt64(A.CloneLength)); // an int there, which is widened again
        _line.Add(" from="u8);
        if (flavour == TextFlavour.Current)
            AddPath(command.Bytes(A.ClonePath));
        else
        {
            _line.Add(_subvolume);
            _line.Add((byte)'/');
            _line.Add(WithoutSlash(command.Bytes(A.ClonePath)));
        }
        Number(" clone_offset="u8, command, A.CloneOffset);
    }

    private void AddEncodedWrite(SendCommand command)
    {
        ReadOnlySpan<byte> comma = flavour == TextFlavour.Progs62 ? ","u8 : [];
        Number("offset="u8, command, A.FileOffset);
        _line.Add(" len="u8);
        _line.Add((ulong)command.Bytes(A.Data).Length);
        _line.Add(comma);
        Number(" unencoded_file_len="u8, command, A.UnencodedFileLength);
        _line.Add(comma);
        Number(" unencoded_len="u8, command, A.UnencodedLength);
        _line.Add(comma);
        Number(" unencoded_offset="u8, command, A.UnencodedOffset);
        _line.Add(comma);
        _line.Add(" compression="u8);
        _line.Add((ulong)(command.Has(A.Compression) ? command.UInt32(A.Compression) : 0));
        _line.Add(comma);
        _line.Add(" encryption="u8);
        _line.Add((ulong)(command.Has(A.Encryption) ? command.UInt32(A.Encryption) : 0));
    }

    private void AddVerity(SendCommand command)
    {
        _line.Add("algorithm="u8);
        _line.Add((ulong)command.UInt8(A.VerityAlgorithm));
        _line.Add(" block_size="u8);
        _line.Add((ulong)command.UInt32(A.VerityBlockSize));
        _line.Add(" salt_len="u8);
        _line.Add((ulong)command.Bytes(A.VeritySalt).Length);
        _line.Add(" sig_len="u8);
        _line.Add((ulong)command.Bytes(A.VeritySignature).Length);
    }

    private void Number(ReadOnlySpan<byte> name, SendCommand command, A attribute)
    {
        _line.Add(name);
        _line.Add(command.UInt64(attribute));
    }

    private void Octal(ReadOnlySpan<byte> name, SendCommand command, A attribute)
    {
        _line.Add(name);
        _line.AddOctal(command.UInt64(attribute));
    }

    private void Time(ReadOnlySpan<byte> name, SendCommand command, A attribute)
    {
        _line.Add(name);
        _line.Add(_time.Text(BinaryPrimitives.ReadInt64LittleEndian(command.Bytes(attribute))));
    }

    private void AddPath(ReadOnlySpan<byte> path)
    {
        _line.Add(_prefix);
        AddEscaped(WithoutSlash(path));
    }

    private void AddValue(ReadOnlySpan<byte> bytes)
    {
        if (flavour == TextFlavour.Current)
            AddEscaped(bytes);
        else
            _line.Add(bytes);
    }

    private void AddEscaped(ReadOnlySpan<byte> bytes)
    {
        for (int odd; (odd = bytes.IndexOfAnyExcept(s_plain)) >= 0; bytes = bytes[(odd + 1)..])
        {
            _line.Add(bytes[..odd]);
            AddEscape(bytes[odd]);
        }
        _line.Add(bytes);
    }

    private void AddEscape(byte b)
    {
        ReadOnlySpan<byte> letters = "abtnvfr"u8; // from BEL to CR
        _line.Add((byte)'\\');
        switch (b)
        {
            case >= 7 and <= 13:
                _line.Add(letters[b - 7]);
                break;
            case 27:
                _line.Add((byte)'e');
                break;
            case (byte)' ' or (byte)'\\':
                _line.Add(b);
                break;
            default:
                _line.Add((byte)('0' + (b >> 6)));
                _line.Add((byte)('0' + ((b >> 3) & 7)));
                _line.Add((byte)('0' + (b & 7)));
                break;
        }
    }

    private static ReadOnlySpan<byte> WithoutSlash(ReadOnlySpan<byte> path) => path is [.. var rest, (byte)'/'] ? rest : path;

    private static ReadOnlySpan<byte> UpToNul(ReadOnlySpan<byte> bytes) => bytes.IndexOf((byte)0) is var end and >= 0 ? bytes[..end] : bytes;
}
