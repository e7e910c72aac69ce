using System.Text.Json.Serialization;

namespace Layerbox.Cmd;

/// <summary>The JSON that tools print: snake_case, members that are null left out. A line for each record that is printed.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProgressLine))]
internal sealed partial class CmdJson : JsonSerializerContext;
