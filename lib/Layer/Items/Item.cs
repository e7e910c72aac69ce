using System.Text;
using Layerbox.Posix;

namespace Layerbox.Layer;

/// <summary>When an item runs. What cannot be foreseen runs first, in this order; then the tree is looked at; then all others run, sorted.</summary>
public enum Phase
{
    Rpms,
    RemovePaths,
    Run,
    Features,
}

/// <summary>
/// One entry of a layer's features. It says what it reads (inputs), what it provides and requires, and changes the tree in
/// memory; nothing of it touches the disk of the layer, except what packages and run items do in their phases.
/// </summary>
public abstract class Item
{
    protected Item(string place) => Place = place;

    /// <summary>Where it stands: "web.layer.json: features[2]". For messages only.</summary>
    public string Place { get; }

    /// <summary>
    /// All that the item means, in one line: kind, normalised members, and the digests of its inputs instead of their names. Items
    /// with equal text are one item; ties in the order are broken by it; the recipe digest is made of it.
    /// </summary>
    public abstract string Text { get; }

    /// <summary>Short form for messages and facts: "install /usr/bin/web".</summary>
    public abstract string Label { get; }

    public virtual Phase Phase => Phase.Features;

    /// <summary>What is read from outside the image; digested before anything is built.</summary>
    public virtual IEnumerable<Input> Inputs => [];

    /// <summary>The items this one stands for, once it is prepared; most stand for themselves.</summary>
    public virtual IEnumerable<Item> Expand() => [this];

    /// <summary>Loads what <see cref="Provides"/> needs to know, for example the members of an archive, whose bytes go into the draft's store.</summary>
    public virtual void Prepare(LayerDraft draft) { }

    public virtual IEnumerable<Provision> Provides(LayerDraft draft) => [];

    public virtual IEnumerable<Requirement> Requires(LayerDraft draft) => [];

    /// <summary>Makes the change. Everything required and ordered has been provided.</summary>
    public abstract void Apply(LayerDraft draft);

    /// <summary>An error of this item: its place and label in front.</summary>
    public LayerException Error(string message) => new($"{Place}: {Label}: {message}");

    /// <summary>Does something that reads what is outside; whatever is wrong there is this item's error, place and label in front.</summary>
    internal T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is PosixException or InvalidDataException || (e is LayerException && !e.Message.StartsWith(Place, StringComparison.Ordinal)))
        {
            throw Error(e.Message);
        }
    }

    /// <inheritdoc cref="Guard{T}"/>
    internal void Guard(Action read) => Guard(() =>
    {
        read();
        return true;
    });

    protected SpecificationException Wrong(string message) => new(Place, message);

    /// <summary>Builds <see cref="Text"/>: the kind, then name=value for every value that is not null, values quoted as JSON strings.</summary>
    protected static string TextOf(string kind, params ReadOnlySpan<(string Name, string? Value)> members)
    {
        StringBuilder text = new(kind);
        foreach ((string name, string? value) in members)
            if (value is not null)
                text.Append(' ').Append(name).Append('=').Append('"').Append(System.Text.Json.JsonEncodedText.Encode(value)).Append('"');
        return text.ToString();
    }
}
