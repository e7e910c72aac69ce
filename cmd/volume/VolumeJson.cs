using System.Text.Json.Serialization;
using Layerbox.Cmd.Subvol;

namespace Layerbox.Cmd.Volumes;

/// <summary>The JSON of the tools on volumes.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MadeVolume))]
[JsonSerializable(typeof(CollectedLine))]
internal sealed partial class VolumeJson : JsonSerializerContext;
