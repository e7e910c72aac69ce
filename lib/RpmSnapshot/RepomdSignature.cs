using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.RpmSnapshot;

/// <summary>
/// The detached signature of a repomd.xml, checked by gpgv: .NET has no OpenPGP. Only the keys that are given count, none of this machine.
/// </summary>
/// <param name="Fingerprint">Of the primary key that made a good signature; null when there is none.</param>
/// <param name="Fault">Why there is none.</param>
internal sealed record RepomdSignature(string? Fingerprint, string? Fault)
{
    private const string Program = "gpgv";

    /// <exception cref="InvalidDataException">gpgv is not there.</exception>
    public static void FindProgram()
    {
        if (ProgramStart.TryFind(Program) is null)
            throw new InvalidDataException($"{Program}: not found; it checks signatures: install the package gpgv (Debian) or gnupg2 (Fedora)");
    }

    /// <summary>Checks a signature.</summary>
    /// <param name="signed">What it is of.</param>
    /// <param name="signature">The signature, armored or not.</param>
    /// <param name="keys">Keys that may have made it.</param>
    /// <param name="fingerprints">If any: only keys with one of these count, by the fingerprint of the primary key or of the subkey that signed; upper-case digits.</param>
    public static RepomdSignature Check(ReadOnlySpan<byte> signed, ReadOnlySpan<byte> signature, IReadOnlyList<PublicKeys> keys, IReadOnlyCollection<string> fingerprints)
    {
        // In memory: there is nothing to clean up, whatever happens. gpgv takes a name with a slash for a path.
        using SafeFileHandle ring = SealedFiles.Make("keys", [.. keys.SelectMany(key => key.Packets)]), file = SealedFiles.Make("repomd.xml", signed), asc = SealedFiles.Make("repomd.xml.asc", signature);
        ProcessResult result = ChildProcess.Run(new ProgramStart(Program, "--status-fd", "1", "--keyring", "/proc/self/fd/3", "/proc/self/fd/5", "/proc/self/fd/4")
        {
            Environment = ["HOME=/nonexistent", "PATH=/usr/bin:/bin", "LC_ALL=C"],
            Input = Files.Open("/dev/null", OpenFlags.ReadOnly),
            Inherited = [ring, file, asc],
        });
        return Judge(result.OutputText, fingerprints) ?? new RepomdSignature(null, $"{Program}: {result.ErrorText.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault() ?? $"exit status {result.Exit}"}");
    }

    /// <summary>
    /// What gpgv's status lines (GnuPG's doc/DETAILS) amount to. Its exit status is no answer: it is 0 for a signature of a key that has expired, and 2 for a
    /// file with a good signature beside one of a key that we do not have.
    /// </summary>
    internal static RepomdSignature? Judge(string status, IReadOnlyCollection<string> fingerprints)
    {
        string? fault = null;
        bool isGood = false;
        foreach (string line in status.Split('\n'))
        {
            string[] words = line.Split(' ');
            if (words is not ["[GNUPG:]", var what, ..])
                continue;
            string whom = words.Length > 2 ? words[2] : "";
            switch (what)
            {
                case "NEWSIG":
                    isGood = false;
                    break;
                case "GOODSIG":
                    isGood = true;
                    break;
                case "VALIDSIG" when isGood:
                    string primary = words.Length > 11 ? words[11] : whom;
                    if (fingerprints.Count == 0 || fingerprints.Contains(primary) || fingerprints.Contains(whom))
                        return new RepomdSignature(primary, null);
                    fault = $"the key {primary}, which made the signature, is not among gpg_fingerprints";
                    break;
                case "BADSIG":
                    return new RepomdSignature(null, $"the signature is bad: the file is not what the key {whom} signed");
                case "EXPKEYSIG":
                    fault ??= $"the key {whom}, which made the signature, has expired";
                    break;
                case "REVKEYSIG":
                    fault ??= $"the key {whom}, which made the signature, was revoked";
                    break;
                case "EXPSIG":
                    fault ??= $"the signature of the key {whom} has expired";
                    break;
                case "NO_PUBKEY":
                    fault ??= $"the signature is of the key {whom}, which is none of those in gpgkey";
                    break;
            }
        }
        return fault is null ? null : new RepomdSignature(null, fault);
    }
}
