namespace Layerbox.RpmSnapshot;

/// <summary>How the servers of one repository are spoken to.</summary>
public sealed record ConnectionSettings
{
    /// <summary>Certificates that servers' certificates may come from, a file of PEM; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>Our own certificate with those between it and its root, a file of PEM.</summary>
    public string? ClientCertificate { get; init; }

    /// <summary>Its key, a file of PEM; null when it is in <see cref="ClientCertificate"/>.</summary>
    public string? ClientKey { get; init; }

    /// <summary>Whether a server must prove that it is the one that was asked for.</summary>
    public bool VerifiesTls { get; init; } = true;

    /// <summary>Sent to <see cref="CredentialServers"/> only.</summary>
    public Credentials? Credentials { get; init; }

    /// <summary>Whose scheme, host and port credentials are for: the URLs that a person wrote, not those that a server names in a redirect or a list of mirrors.</summary>
    public IReadOnlyList<RepoUrl> CredentialServers { get; init; } = [];

    /// <summary>URL of a proxy; empty for none; null for what <c>http_proxy</c>, <c>https_proxy</c> and <c>no_proxy</c> say.</summary>
    public string? Proxy { get; init; }

    /// <summary>For <see cref="Proxy"/>.</summary>
    public Credentials? ProxyCredentials { get; init; }

    public string UserAgent { get; init; } = "layerbox";
}

/// <summary>A user's name and password, which no message shows.</summary>
public sealed record Credentials(string User, string Password)
{
    public override string ToString() => "(credentials)";
}
