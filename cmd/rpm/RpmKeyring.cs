using Layerbox.Posix;
using Layerbox.Rpm;

namespace Layerbox.Cmd.Rpms;

/// <summary>
/// Public keys, and rpmkeys to check signatures with them: .NET has no OpenPGP, and rpm is the authority. The keys are in a database of
/// their own that is gone afterwards; those of this machine do not count.
/// </summary>
internal sealed class RpmKeyring : IDisposable
{
    private const string Program = "rpmkeys";

    private readonly OutputDirectory _folder; // never committed, so it goes

    /// <exception cref="PosixException">rpmkeys is not there, or a key file cannot be read.</exception>
    /// <exception cref="InvalidDataException">rpmkeys does not take a key.</exception>
    public RpmKeyring(string[] keyFiles)
    {
        if (ProgramStart.TryFind(Program) is null)
            throw new InvalidDataException($"{Program}: not found; it checks signatures: install the package rpm (Debian and Fedora)");
        _folder = OutputDirectory.Create(Path.Combine(Path.GetTempPath(), "rpm-verify"), replace: true);
        try
        {
            foreach (string file in keyFiles)
            {
                using FdStream stream = new(Files.Open(file, OpenFlags.ReadOnly), file, canWrite: false);
                ProcessResult result = RunRpmKeys("--import", Kept(file, stream));
                if (!result.Exit.Succeeded)
                    throw new InvalidDataException($"{file}: {Program} does not take it for a public key: {LastLine(result)}");
            }
        }
        catch
        {
            _folder.Dispose();
            throw;
        }
    }

    /// <summary>Verifies a package, signatures included.</summary>
    public RpmVerification Verify(string file, Stream stream, Action<long> progress)
    {
        string path = Kept(file, stream);
        using FdStream again = new(Files.Open(path, OpenFlags.ReadOnly), path, canWrite: false);
        RpmVerification verification = RpmVerification.Of(again, progress);
        ProcessResult result = RunRpmKeys("--define", "_pkgverify_level all", "--checksig", "--verbose", path);
        RpmFinding[] found = result.Exit.Succeeded ? [] : [new RpmFinding(RpmFindingCodes.Signature, $"{Program}: {Complaint(result)}")];
        return verification with { Checked = [.. verification.Checked, RpmFindingCodes.Signature], Findings = [.. verification.Findings, .. found] };
    }

    // Where rpmkeys can read it too, which what comes from a pipe cannot be twice.
    private string Kept(string file, Stream stream)
    {
        if (file != InputFile.StandardInput && Files.Status(file, followLinks: true).IsRegular)
            return Path.GetFullPath(file);
        string path = Path.Combine(_folder.TemporaryPath, "piped");
        using OutputFile copy = OutputFile.Create(path);
        stream.CopyTo(copy.Stream);
        copy.Commit();
        return path;
    }

    private ProcessResult RunRpmKeys(params string[] arguments) => ChildProcess.Run(new ProgramStart(Program, ["--dbpath", _folder.TemporaryPath, .. arguments])
    {
        // Macros of the user's home could say anything about databases and levels.
        Environment = [$"HOME={_folder.TemporaryPath}", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"],
        Input = Files.Open("/dev/null", OpenFlags.ReadOnly),
    });

    // A line a signature or digest, ending in "OK" or what is wrong.
    private static string Complaint(ProcessResult result)
    {
        string[] bad = [.. Lines(result).Where(line => line.StartsWith(' ') && !line.EndsWith(": OK", StringComparison.Ordinal)).Select(line => line.Trim())];
        return bad.Length > 0 ? string.Join("; ", bad) : LastLine(result);
    }

    private static string LastLine(ProcessResult result) => Lines(result).LastOrDefault()?.Trim() ?? $"exit status {result.Exit}";

    private static string[] Lines(ProcessResult result) =>
        $"{result.ErrorText}\n{result.OutputText}".Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose() => _folder.Dispose();
}
