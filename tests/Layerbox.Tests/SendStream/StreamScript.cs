using System.Globalization;
using System.Text;
using Layerbox.FileTree;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;
using K = Layerbox.SendStream.SendCommandKind;

namespace Layerbox.Tests.SendStream;

/// <summary>
/// Makes streams from lines like "subvol vol; mkfile a; write a 0 hello; end", for tables. Characters are bytes (Latin-1), 'x*9' is nine
/// times x, commas join, '-' is nothing. Uuids are a byte in hexadecimal, repeated; the subvolume's own is 11.
/// </summary>
internal static class StreamScript
{
    public static byte[] Make(string script, uint version = 1)
    {
        using MemoryStream output = new();
        SendStreamWriter writer = new(output, version);
        foreach (string line in script.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            Write(writer, line.Split(' '));
        writer.Flush();
        return output.ToArray();
    }

    /// <summary>The tree that a script makes, which begins in the subvolume and does not say its end. Both ways of receiving make the same.</summary>
    public static Tree Apply(string script, uint version = 2)
    {
        byte[] stream = Make($"subvol vol; {script}; end", version);
        Tree tree = Assert.Single(Receive(stream).Subvolumes).Tree;
        Assert.Equal(TreeDigest.Compute(SendStreamTree.Apply(new MemoryStream(stream), null, new MemoryContentStore()).Tree), TreeDigest.Compute(tree));
        return tree;
    }

    /// <summary>The subvolumes of inputs, one after another.</summary>
    public static SubvolumeSet Receive(params ReadOnlySpan<byte[]> inputs)
    {
        SubvolumeSet set = new();
        foreach (byte[] input in inputs)
            set.Receive(new MemoryStream(input), new MemoryBytes(input));
        return set;
    }

    public static byte[] Bytes(string text) => text switch
    {
        "-" => [],
        _ when text.Contains(',', StringComparison.Ordinal) => [.. text.Split(',').SelectMany(Bytes)],
        [var repeated, '*', .. var count] => [.. Enumerable.Repeat((byte)repeated, int.Parse(count, CultureInfo.InvariantCulture))],
        _ => Encoding.Latin1.GetBytes(text),
    };

    public static Guid Uuid(string text)
    {
        byte b = byte.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return new Guid([.. Enumerable.Repeat(b, SendStreamFormat.UuidLength)]);
    }

    private static void Write(SendStreamWriter writer, string[] words)
    {
        K kind = Enum.Parse<K>(words[0].Replace("_", "", StringComparison.Ordinal), ignoreCase: true);
        writer.Begin(kind);
        if (kind != K.End)
            writer.Bytes(A.Path, Bytes(words[1]));
        string Word(int at, string otherwise = "0") => at < words.Length ? words[at] : otherwise;
        ulong Number(int at) => ulong.Parse(Word(at), CultureInfo.InvariantCulture);
        switch (kind)
        {
            case K.Subvol: writer.Uuid(A.Uuid, Uuid(Word(2, "11"))).UInt64(A.Ctransid, 7); break;
            case K.Snapshot:
                writer.Uuid(A.Uuid, Uuid(Word(2, "22"))).UInt64(A.Ctransid, 9).Uuid(A.CloneUuid, Uuid(Word(3, "11"))).UInt64(A.CloneCtransid, 7);
                break;
            case K.Mkfile or K.Mkdir or K.Mkfifo or K.Mksock: writer.UInt64(A.Ino, 257); break;
            case K.Mknod: writer.UInt64(A.Ino, 257).UInt64(A.Rdev, Number(3)).UInt64(A.Mode, Convert.ToUInt64(Word(2), 8)); break;
            case K.Symlink: writer.UInt64(A.Ino, 257).Bytes(A.PathLink, Bytes(words[2])); break;
            case K.Rename: writer.Bytes(A.PathTo, Bytes(words[2])); break;
            case K.Link: writer.Bytes(A.PathLink, Bytes(words[2])); break;
            case K.SetXattr: writer.Bytes(A.XattrName, Bytes(words[2])).Bytes(A.XattrData, Bytes(words[3])); break;
            case K.RemoveXattr: writer.Bytes(A.XattrName, Bytes(words[2])); break;
            case K.Write: writer.UInt64(A.FileOffset, Number(2)).Bytes(A.Data, Bytes(words[3])); break;
            case K.Clone: // clone PATH OFFSET LENGTH SOURCE OFFSET UUID
                writer.UInt64(A.FileOffset, Number(2)).UInt64(A.CloneLength, Number(3)).Uuid(A.CloneUuid, Uuid(Word(6, "11")));
                writer.UInt64(A.CloneCtransid, 7).Bytes(A.ClonePath, Bytes(words[4])).UInt64(A.CloneOffset, Number(5));
                break;
            case K.Truncate: writer.UInt64(A.Size, Number(2)); break;
            case K.Chmod: writer.UInt64(A.Mode, Convert.ToUInt64(words[2], 8)); break;
            case K.Chown: writer.UInt64(A.Uid, Number(2)).UInt64(A.Gid, Number(3)); break;
            case K.Utimes:
                Timestamp time = new(long.Parse(words[2], CultureInfo.InvariantCulture), uint.Parse(Word(3), CultureInfo.InvariantCulture));
                writer.Time(A.Atime, time).Time(A.Mtime, time).Time(A.Ctime, time);
                break;
            case K.UpdateExtent: writer.UInt64(A.FileOffset, Number(2)).UInt64(A.Size, Number(3)); break;
            case K.Fallocate: writer.UInt32(A.FallocateMode, (uint)Number(2)).UInt64(A.FileOffset, Number(3)).UInt64(A.Size, Number(4)); break;
            case K.FileAttr: writer.UInt64(A.FileAttr, Number(2)); break;
            case K.EncodedWrite: // encoded_write PATH OFFSET FILE_LENGTH LENGTH OFFSET COMPRESSION DATA [ENCRYPTION]
                writer.UInt64(A.FileOffset, Number(2)).UInt64(A.UnencodedFileLength, Number(3)).UInt64(A.UnencodedLength, Number(4));
                writer.UInt64(A.UnencodedOffset, Number(5)).UInt32(A.Compression, (uint)Number(6)).UInt32(A.Encryption, (uint)Number(8));
                writer.Bytes(A.Data, Bytes(words[7]));
                break;
            case K.EnableVerity:
                writer.UInt8(A.VerityAlgorithm, 1).UInt32(A.VerityBlockSize, 4096).Bytes(A.VeritySalt, "salt"u8).Bytes(A.VeritySignature, []);
                break;
        }
        writer.End();
    }
}
