namespace Layerbox.Layer;

/// <summary>One of several steps that an item stands for, made of functions. It bears the item's label, so that facts and messages name the item.</summary>
internal sealed class Part(Item whole, string text, IEnumerable<Provision> provides, IEnumerable<Requirement> requires, Action<LayerDraft, Item> apply) : Item(whole.Place)
{
    public override string Text => text;
    public override string Label => whole.Label;
    public override IEnumerable<Provision> Provides(LayerDraft draft) => provides;
    public override IEnumerable<Requirement> Requires(LayerDraft draft) => requires;
    public override void Apply(LayerDraft draft) => apply(draft, this);
}
