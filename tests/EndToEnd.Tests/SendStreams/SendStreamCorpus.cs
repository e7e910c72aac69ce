namespace Layerbox.Tests.EndToEnd;

/// <summary>The kernel's send-streams of scripts/make-sendstreams, small ones made once, or those of the folder LAYERBOX_SENDSTREAMS.</summary>
public sealed class SendStreamCorpus : IDisposable
{
    private readonly Lazy<TempFolder> _made = new(() =>
    {
        TempFolder folder = new();
        (int status, _, string errors) = Executable.Shell($"BIG_MIB=4 TINY_FILES=1500 exec '{Repository.PathOf("scripts", "make-sendstreams")}' --small '{folder / "corpus"}'");
        if (status == 0)
            return folder;
        folder.Dispose();
        Assert.SkipWhen(status == 77 && Environment.GetEnvironmentVariable("CI") != "true", errors);
        throw new InvalidOperationException(errors);
    });

    /// <summary>The folder, whose files the script describes; or skips the test with the reason.</summary>
    public string PathOrSkip()
    {
        Executable.PublishedOrSkip();
        Privileged.OrSkip();
        return Environment.GetEnvironmentVariable("LAYERBOX_SENDSTREAMS") is { Length: > 0 } given ? Path.GetFullPath(given) : _made.Value / "corpus";
    }

    public void Dispose()
    {
        if (_made.IsValueCreated)
            _made.Value.Dispose();
    }
}
