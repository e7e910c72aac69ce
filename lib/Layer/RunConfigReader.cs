using System.Text.Json;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Layer;

/// <summary>Reads what most images say about being run, which is nothing but a config as layerbox writes it, without a walk and without the serializer.</summary>
internal static class RunConfigReader
{
    private const int LargestMax = 64 * 1024;

    /// <summary>The config in a /.layerbox folder that has nothing else; null when there is more to it, or something wrong with it.</summary>
    public static RunConfig? TryRead(SafeFileHandle folder)
    {
        ReadOnlySpan<byte> name = "config.json"u8;
        foreach ((byte[] entry, _) in Directories.List(folder))
        {
            if (!entry.AsSpan().SequenceEqual(name))
                return null;
        }
        if (Files.TryStatus(folder, name) is not { IsRegular: true, Size: > 0 and <= LargestMax and var size })
            return null;
        byte[] bytes = new byte[size];
        using (SafeFileHandle file = Files.Open(folder, name, OpenFlags.ReadOnly | OpenFlags.NoFollow))
        {
            int length = 0;
            while (length < bytes.Length && Files.Read(file, bytes.AsSpan(length)) is var got and > 0)
                length += got;
            if (length < bytes.Length)
                return null;
        }
        return bytes[^1] == (byte)'\n' ? TryParse(bytes) : null;
    }

    internal static RunConfig? TryParse(ReadOnlySpan<byte> document)
    {
        RunConfig config = new();
        try
        {
            return PlainJson.ReadObject(document, (string name, ref Utf8JsonReader value) => config = name switch
            {
                "entrypoint" => config with { Entrypoint = Texts(ref value) },
                "cmd" => config with { Cmd = Texts(ref value) },
                "env" => config with { Env = Map(ref value) },
                "user" => config with { User = PlainJson.Text(ref value) },
                "working_dir" => config with { WorkingDir = PlainJson.Text(ref value) },
                "stop_signal" => config with { StopSignal = PlainJson.Text(ref value) },
                "exposed_ports" => config with { ExposedPorts = Texts(ref value) },
                "volumes" => config with { Volumes = Texts(ref value) },
                "labels" => config with { Labels = Map(ref value) },
                _ => throw new JsonException(),
            }) ? config : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static List<string> Texts(ref Utf8JsonReader value)
    {
        if (value.TokenType != JsonTokenType.StartArray)
            throw new JsonException();
        List<string> texts = [];
        while (value.Read() && value.TokenType != JsonTokenType.EndArray)
            texts.Add(PlainJson.Text(ref value) ?? throw new JsonException());
        return texts;
    }

    private static SortedDictionary<string, string> Map(ref Utf8JsonReader value)
    {
        if (value.TokenType != JsonTokenType.StartObject)
            throw new JsonException();
        SortedDictionary<string, string> map = [];
        PlainJson.ReadMembers(ref value, (string name, ref Utf8JsonReader text) => map[name] = PlainJson.Text(ref text) ?? throw new JsonException());
        return map;
    }
}
