namespace Layerbox.Rpm;

/// <summary>Which of the two headers of a package.</summary>
public enum RpmHeaderKind
{
    Signature,
    Main,
}
