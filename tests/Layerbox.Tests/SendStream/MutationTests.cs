using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using Layerbox.FileTree;
using Layerbox.SendStream;

namespace Layerbox.Tests.SendStream;

/// <summary>Streams that were changed at random: each is applied or refused, and nothing else happens.</summary>
public class MutationTests
{
    private const string Sample = "subvol vol; mkdir d; mkfile d/a; write d/a 0 hello; link b d/a; rename d/a d/c; chmod d 755; chown d 1 2; utimes d 1 2; "
        + "set_xattr b user.x 1; remove_xattr b user.x; truncate b 9; symlink l /x; unlink l; mkdir e; rmdir e; clone b 20 5 d/c 0; mknod n 20600 259; "
        + "fallocate b 3 1 2; encoded_write b 8 2 4 1 0 abcd; fileattr b 1; snapshot v2; write b 3 xyz; unlink b; end";

    [Fact]
    public void A_changed_byte_is_always_noticed()
    {
        byte[] stream = StreamScript.Make(Sample, version: 2);
        Prop.ForAll<ushort, byte>((at, flip) =>
        {
            // The version is not under any CRC.
            int place = SendStreamFormat.HeaderLength + at % (stream.Length - SendStreamFormat.HeaderLength);
            byte[] changed = [.. stream];
            changed[place] ^= flip;
            return flip == 0 || !IsApplied(changed);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_cut_is_always_noticed()
    {
        byte[] stream = StreamScript.Make(Sample, version: 2);
        Assert.True(IsApplied(stream));
        for (int length = 0; length < stream.Length; length++)
            Assert.False(IsApplied(stream[..length]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Nonsense_in_good_frames_is_applied_or_refused(int seed)
    {
        Random random = new(seed);
        byte[] stream = StreamScript.Make(Sample, version: 2);
        List<Range> frames = FramesOf(stream);
        int applied = 0;
        for (int round = 0; round < 3000; round++)
        {
            List<byte[]> parts = [.. frames.Select(f => stream[f])];
            for (int changes = random.Next(1, 5); changes > 0; changes--)
                Mutate(random, parts);
            byte[] input = [.. stream.AsSpan(0, SendStreamFormat.HeaderLength), .. parts.SelectMany(p => p)];
            if (IsApplied(input))
                applied++;
        }
        Assert.InRange(applied, 1, 2999);
    }

    private static bool IsApplied(byte[] stream)
    {
        try
        {
            SendStreamTree.ApplyAll(new MemoryStream(stream), known: null, new SizeStore());
            return true;
        }
        catch (SendStreamException e)
        {
            Assert.Matches("^offset [0-9]+: ", e.Message);
            return false;
        }
    }

    private static List<Range> FramesOf(byte[] stream)
    {
        List<Range> frames = [];
        SendStreamReader reader = new(new MemoryStream(stream));
        while (reader.Read())
            frames.Add((int)reader.Command.Offset..(int)reader.Position);
        return frames;
    }

    private static void Mutate(Random random, List<byte[]> frames)
    {
        int at = random.Next(frames.Count);
        switch (random.Next(4))
        {
            case 0:
                frames.Insert(at, frames[random.Next(frames.Count)]);
                return;
            case 1 when frames.Count > 2:
                frames.RemoveAt(at);
                return;
            case 2:
                (frames[at], frames[0]) = (frames[0], frames[at]);
                return;
        }
        byte[] frame = [.. frames[at]];
        int place = random.Next(4, frame.Length);
        frame[place] = random.Next(3) switch { 0 => (byte)(frame[place] ^ (1 << random.Next(8))), 1 => (byte)random.Next(256), _ => 255 };
        frame.AsSpan(6, sizeof(uint)).Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(frame.AsSpan(6), Crc32C.Append(0, frame));
        frames[at] = frame;
    }

    /// <summary>Knows how large contents are, and nothing else: what a stream says about sizes is not believed here.</summary>
    private sealed class SizeStore : ContentStore
    {
        public override ContentWriter Create(FileContent? initial = null) => new Writer(initial?.Size ?? 0);

        private sealed class Writer(long size) : ContentWriter
        {
            private long _size = size;

            public override long Size => _size;
            public override void Write(long offset, ReadOnlySpan<byte> bytes) => _size = Math.Max(_size, checked(offset + bytes.Length));
            public override void SetSize(long size) => _size = size;
            public override void CopyFrom(FileContent source, long sourceOffset, long length, long offset) => _size = Math.Max(_size, checked(offset + length));
            public override void Clear(long offset, long length) => Assert.True(offset + length <= _size);
            public override FileContent Complete() => new Content(_size);
        }

        private sealed class Content(long size) : FileContent
        {
            public override long Size => size;
            public override Stream Open() => throw new NotSupportedException();
        }
    }
}
