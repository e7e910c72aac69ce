namespace Layerbox.SendStream;

/// <summary>A step that makes commands of its own.</summary>
internal abstract class DraftingStep(RewriteStep next) : RewriteStep(next)
{
    /// <summary>For commands of the version that this step hands on.</summary>
    protected CommandDraft Draft { get; private set; } = new(0);

    public override void Begin(uint version)
    {
        base.Begin(version);
        if (Draft.Version != Version)
            Draft = new CommandDraft(Version);
    }
}
