namespace Layerbox.Rpm;

/// <summary>What came of verifying a package.</summary>
/// <param name="Nevra">What it calls itself; null when its headers cannot be read.</param>
/// <param name="Checked">The digests and sizes that were compared, by the codes of findings.</param>
/// <param name="Findings">What is wrong; nothing for a good package.</param>
public sealed record RpmVerification(Nevra? Nevra, IReadOnlyList<string> Checked, IReadOnlyList<RpmFinding> Findings)
{
    /// <summary>
    /// Reads a package to its end and compares all digests and sizes that there are, what the header says of files with what the payload has, and looks
    /// whether each file could be made.
    /// </summary>
    /// <param name="source">The package.</param>
    /// <param name="progress">Told how many bytes of the payload were read, now and then.</param>
    public static RpmVerification Of(Stream source, Action<long>? progress = null)
    {
        List<RpmFinding> findings = [];
        Nevra? nevra = null;
        IReadOnlyList<string> compared = [];
        try
        {
            using RpmPackage package = RpmPackage.Open(source);
            nevra = Nevra.Of(package);
            IReadOnlyList<RpmFile> files = RpmFileList.Read(package);
            using RpmPayload payload = new(package, files, RpmChecks.All, findings.Add) { Progress = progress };
            compared = payload.Checked;
            payload.Read(null, null);
            CheckFiles(files, findings);
        }
        catch (InvalidDataException e)
        {
            findings.Add(new RpmFinding(RpmFindingCodes.Malformed, e.Message));
        }
        return new RpmVerification(nevra, compared, findings);
    }

    // Each by itself, as the only file of a tree.
    private static void CheckFiles(IReadOnlyList<RpmFile> files, List<RpmFinding> findings)
    {
        foreach (RpmFile file in files)
            if (!file.IsGhost && RpmTree.WhyImpossible(file) is { } reason)
                findings.Add(new RpmFinding(RpmFindingCodes.FileImpossible, reason, file.Path));
    }
}
