
namespace Layerbox.Layer;

/// <summary>The owner of what an item makes: names from the image's own passwd and group, or numbers. root:root unless said.</summary>
internal sealed record Ownership(string User, string Group)
{
    private const string Root = "root";

    public static Ownership Parse(SpecObject spec) => new(spec.OptionalOwner("user") ?? Root, spec.OptionalOwner("group") ?? Root);

    /// <summary>Names must be known before ids can be given; numbers and root need nobody.</summary>
    public IEnumerable<Requirement> Requires()
    {
        if (User != Root && !Accounts.TryNumber(User, out _))
            yield return new Requirement(Key.OfUser(User));
        if (Group != Root && !Accounts.TryNumber(Group, out _))
            yield return new Requirement(Key.OfGroup(Group));
    }

    public (uint Uid, uint Gid) Resolve(LayerDraft draft, Item item) => (draft.Uid(item, User), draft.Gid(item, Group));

    public override string ToString() => $"{User}:{Group}";
}
