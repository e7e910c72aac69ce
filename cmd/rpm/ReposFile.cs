using System.Text.Json;
using Layerbox.Layer;
using Layerbox.Posix;
using Layerbox.Rpm;
using Layerbox.RpmSnapshot;

namespace Layerbox.Cmd.Rpms;

/// <summary>
/// The file that says which repositories a snapshot is of: JSON with comments, in which a member that is not known is an error with its place. Paths of files
/// are relative to the file's folder.
/// </summary>
internal sealed class ReposFile
{
    private const int MaxRepos = 1000, MaxConnections = 64;

    private readonly string _folder;

    private ReposFile(string folder) => _folder = folder;

    /// <summary>The repositories, sorted by name.</summary>
    /// <exception cref="SpecificationException">Anything is wrong with it; the place is named.</exception>
    /// <exception cref="PosixException">It cannot be read.</exception>
    public static List<RepoRequest> Read(string path)
    {
        byte[] bytes = WholeFile.Read(path);
        using JsonDocument document = SpecObject.Parse(bytes, path);
        SpecObject root = new(document.RootElement, path);
        ReposFile file = new(Path.GetDirectoryName(path) ?? "");
        IReadOnlyList<SpecObject> objects = root.OptionalObjects("repos") ?? throw root.Error("member 'repos' is missing");
        root.Finish();
        if (objects.Count is 0 or > MaxRepos)
            throw root.Error($"member 'repos': from 1 to {MaxRepos} repositories are expected");
        List<RepoRequest> repos = [];
        foreach (SpecObject json in objects)
        {
            RepoRequest repo = file.Repo(json);
            if (repos.Exists(other => other.Name == repo.Name))
                throw json.Error($"member 'name': '{repo.Name}' is the name of another repository, too");
            repos.Add(repo);
        }
        return [.. repos.OrderBy(repo => repo.Name, StringComparer.Ordinal)];
    }

    private RepoRequest Repo(SpecObject json)
    {
        string name = Name(json, "name") ?? throw json.Error("member 'name' is missing");
        List<RepoUrl> bases = [.. (json.OptionalTexts("baseurl") ?? []).Select((text, i) => Url(json, $"baseurl[{i}]", text))];
        RepoUrl? list = OptionalUrl(json, "mirrorlist"), metalink = OptionalUrl(json, "metalink");
        if (bases.Count == 0 && list is null && metalink is null)
            throw json.Error("one of 'baseurl', 'mirrorlist' and 'metalink' is needed");
        RepoRequest request = new(name, bases, Connection(json, [.. bases, .. new[] { list, metalink }.OfType<RepoUrl>()]))
        {
            Universe = Name(json, "universe"),
            MirrorList = list,
            Metalink = metalink,
            Keys = [.. (json.OptionalTexts("gpgkey") ?? []).Select(key => Keys(json, key))],
            Fingerprints = [.. (json.OptionalTexts("gpg_fingerprints") ?? []).Select((text, i) => Fingerprint(json, i, text))],
            ChecksSignature = json.Flag("repo_gpgcheck", otherwise: false),
            ExtraFiles = [.. (json.OptionalTexts("extra_files") ?? []).Select(path => ExtraFile(json, path)).Distinct()],
            Connections = (int?)json.OptionalNumber("connections", 1, MaxConnections),
        };
        json.Finish();
        if (name.Length + (request.Universe?.Length ?? 0) is var length and > RepoRequest.MaxNames)
            throw json.Error($"members 'name' and 'universe': together at most {RepoRequest.MaxNames} characters, not {length}");
        if (request.ChecksSignature && request.Keys.Count == 0)
            throw json.Error("member 'repo_gpgcheck': it needs 'gpgkey', files of public keys");
        if (!request.ChecksSignature && request.Fingerprints.Count > 0)
            throw json.Error("member 'gpg_fingerprints': it is of no use without \"repo_gpgcheck\": true");
        return request;
    }

    private ConnectionSettings Connection(SpecObject json, IReadOnlyList<RepoUrl> written) => new()
    {
        CaFile = OptionalFile(json, "ca_file"),
        ClientCertificate = OptionalFile(json, "client_cert"),
        ClientKey = OptionalFile(json, "client_key"),
        VerifiesTls = json.Flag("tls_verify", otherwise: true),
        Credentials = OptionalCredentials(json, "username", "password_file"),
        CredentialServers = written,
        Proxy = json.OptionalText("proxy"),
        ProxyCredentials = OptionalCredentials(json, "proxy_username", "proxy_password_file"),
        UserAgent = json.OptionalText("user_agent") ?? new ConnectionSettings().UserAgent,
    };

    private static string? Name(SpecObject json, string member) => json.OptionalText(member) is not { } name ? null
        : RepoRequest.IsName(name) ? name : throw json.Error($"member '{member}': '{name}' is not of letters, digits and ._+-, the first a letter or digit");

    private static RepoUrl? OptionalUrl(SpecObject json, string member) => json.OptionalText(member) is { } text ? Url(json, member, text) : null;

    private static RepoUrl Url(SpecObject json, string member, string text)
    {
        if (text.Contains('$', StringComparison.Ordinal))
            throw json.Error($"member '{member}': '{text}': variables such as $basearch have no values here: write them out");
        try
        {
            return RepoUrl.Parse(text);
        }
        catch (FormatException e)
        {
            throw json.Error($"member '{member}': {e.Message}");
        }
    }

    private static string Fingerprint(SpecObject json, int index, string text)
    {
        string digits = text.Replace(" ", "", StringComparison.Ordinal).ToUpperInvariant();
        return digits.Length is 40 or 64 && digits.All(char.IsAsciiHexDigitUpper) ? digits : throw json.Error($"member 'gpg_fingerprints[{index}]': '{text}' is not of 40 or 64 hexadecimal digits");
    }

    private static string ExtraFile(SpecObject json, string path)
    {
        try
        {
            return RepoLocation.Parse(path) is { Place: RepoPlace.Inside } inside && inside.Path == path ? path : throw new FormatException($"'{path}' is no plain path inside of the repository");
        }
        catch (FormatException e)
        {
            throw json.Error($"member 'extra_files': {e.Message}");
        }
    }

    private PublicKeys Keys(SpecObject json, string file)
    {
        const int MaxKeys = 16 << 20;
        string path = PathOf(file);
        try
        {
            return PublicKeys.Parse(WholeFile.Read(path, MaxKeys));
        }
        catch (Exception e) when (e is InvalidDataException or PosixException)
        {
            throw json.Error($"member 'gpgkey': {(e is PosixException posix ? $"{path}: {PosixException.Reason(posix.Errno)}" : $"{path}: {e.Message}")}");
        }
    }

    private string? OptionalFile(SpecObject json, string member) => json.OptionalText(member) is { } file ? PathOf(file) : null;

    private string PathOf(string file) => Path.Combine(_folder, file);

    // Not in the file itself, which people show each other.
    private Credentials? OptionalCredentials(SpecObject json, string user, string passwordFile)
    {
        const int MaxPassword = 64 * 1024;
        (string? name, string? file) = (json.OptionalText(user), OptionalFile(json, passwordFile));
        if (name is null && file is null)
            return null;
        if (name is null || file is null)
            throw json.Error($"'{user}' and '{passwordFile}' need each other");
        try
        {
            return new Credentials(name, System.Text.Encoding.UTF8.GetString(WholeFile.Read(file, MaxPassword)).TrimEnd('\r', '\n'));
        }
        catch (PosixException e)
        {
            throw json.Error($"member '{passwordFile}': {file}: {PosixException.Reason(e.Errno)}");
        }
    }
}
