using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Layerbox.SendStream;
using A = Layerbox.SendStream.SendAttribute;

namespace Layerbox.Tests.SendStream;

public class SendStreamJsonTests
{
    private const string Everything = "subvol vol; mkfile a; mkdir d; mknod n 20644 259; mkfifo p; mksock s; symlink l ../t; rename a b; link c b; unlink c; rmdir d; set_xattr f user.a \u00ff\u0000; "
        + "remove_xattr f user.a; write f 18446744073709551615 x*9; clone f 0 4096 g 8192 22; truncate f 7; chmod f 7; chmod f 44; chmod f 4755; chown f 1 4294967295; utimes f -1 999999999; update_extent f 1 2; "
        + "fallocate f 3 4096 8192; fileattr f 9; encoded_write f 0 1 2 3 7 \u00c3; enable_verity v; snapshot w 33 44; mkfile \u00c3\u00a9\"\\\u0001\n\u007f; end";

    private static string Json(byte[] stream, bool withData = false, SendStreamLimits? limits = null)
    {
        using MemoryStream output = new();
        new SendStreamJson(output, withData).WriteAll(new SendStreamReader(new MemoryStream(stream), limits));
        return Encoding.UTF8.GetString(output.ToArray());
    }

    [Fact]
    public void A_line_for_each_header_and_command() => Assert.Equal("""
        {"op":"stream","offset":0,"version":2}
        {"op":"subvol","offset":17,"index":1,"path":"v","uuid":"11111111-1111-1111-1111-111111111111","ctransid":7}
        {"op":"write","offset":64,"index":2,"path":"a","file_offset":5,"data_len":3}
        {"op":"chmod","offset":96,"index":3,"path":"","mode":"0044"}
        {"op":"set_xattr","offset":122,"index":4,"path_b64":"/w==","xattr_name":"user.é","xattr_data":""}
        {"op":"utimes","offset":152,"index":5,"path":"a","atime":{"sec":-1,"nsec":5},"mtime":{"sec":-1,"nsec":5},"ctime":{"sec":-1,"nsec":5}}
        {"op":"end","offset":215,"index":6}

        """, Json(StreamScript.Make("subvol v; write a 5 xyz; chmod - 44; set_xattr \u00ff user.\u00c3\u00a9 -; utimes a -1 5; end", version: 2)));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Says_every_attribute_without_loss(bool withData)
    {
        byte[] stream = StreamScript.Make(Everything, version: 3);
        SendStreamReader reader = new(new MemoryStream(stream));
        string[] lines = Json(stream, withData).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("""{"op":"stream","offset":0,"version":3}""", lines[0]);
        foreach (string line in lines.Skip(1))
        {
            Assert.True(reader.Read());
            JsonElement said = JsonDocument.Parse(line).RootElement;
            SendCommand command = reader.Command;
            Assert.Equal((SendStreamFormat.NameOf(command.Kind), command.Offset, command.Index),
                (said.GetProperty("op").GetString(), said.GetProperty("offset").GetInt64(), said.GetProperty("index").GetInt64()));
            int members = 3;
            foreach (SendCommand.AttributeEnumerator attribute in command)
            {
                string name = SendStreamFormat.NameOf(attribute.Type);
                if (attribute.Type != A.Data)
                    Assert.Equal(attribute.Value, Value(said, name, SendStreamFormat.FixedLengthOf(attribute.Type)));
                else
                {
                    Assert.Equal(attribute.Value.Length, said.GetProperty("data_len").GetInt32());
                    if (withData)
                        Assert.Equal(attribute.Value, said.GetProperty("data_b64").GetBytesFromBase64());
                    members += withData ? 1 : 0;
                }
                members++;
            }
            Assert.Equal(members, said.EnumerateObject().Count());
        }
        Assert.False(reader.Read());
    }

    /// <summary>The attribute's bytes, made again from what the line says.</summary>
    private static byte[] Value(JsonElement line, string name, int length)
    {
        byte[] bytes = new byte[length];
        if (length == 0)
            return line.TryGetProperty(name, out JsonElement text) ? Encoding.UTF8.GetBytes(text.GetString()!) : line.GetProperty($"{name}_b64").GetBytesFromBase64();
        JsonElement value = line.GetProperty(name);
        if (length == SendStreamFormat.UuidLength)
            Guid.Parse(value.GetString()!, CultureInfo.InvariantCulture).TryWriteBytes(bytes, bigEndian: true, out _);
        else if (length == SendStreamFormat.TimeLength)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes, value.GetProperty("sec").GetInt64());
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), value.GetProperty("nsec").GetUInt32());
        }
        else
        {
            ulong number = name == "mode" ? Convert.ToUInt64(value.GetString(), 8) : value.GetUInt64();
            for (int i = 0; i < length; i++, number >>= 8)
                bytes[i] = (byte)number;
        }
        return bytes;
    }

    [Fact]
    public void Jq_reads_the_lines()
    {
        using TempFolder folder = new();
        File.WriteAllText(folder / "lines", Json(StreamScript.Make(Everything, version: 3), withData: true));
        Assert.Equal("-1\n", Programs.Shell($"jq 'select(.op == \"utimes\") | .mtime.sec' < {folder / "lines"}"));
        Assert.Equal("é\"\\\u0001\n\u007f", Programs.Shell($"jq -j 'select(.op == \"mkfile\" and .index > 2) | .path' < {folder / "lines"}"));
    }

    [Fact]
    public void What_is_unknown_is_said_too_when_it_is_allowed()
    {
        byte[] stream = SendStreamReaderTests.WithUnknown();
        string[] lines = Json(stream, limits: new SendStreamLimits { AllowUnknown = true }).Split('\n');
        Assert.Contains("""{"op":"unknown","offset":66,"index":2,"kind":99,"path":"a","unknown":[{"type":777,"data_b64":"AQI="},{"type":777,"data_b64":""}]}""", lines);
    }

    [Fact]
    public void What_comes_before_a_fault_is_written()
    {
        byte[] stream = StreamScript.Make("subvol v; mkfile a; end")[..^1];
        using MemoryStream output = new();
        Assert.Throws<SendStreamException>(() => new SendStreamJson(output).WriteAll(new SendStreamReader(new MemoryStream(stream))));
        Assert.EndsWith("\"op\":\"mkfile\",\"offset\":64,\"index\":2,\"path\":\"a\",\"ino\":257}\n", Encoding.UTF8.GetString(output.ToArray()), StringComparison.Ordinal);
    }
}
