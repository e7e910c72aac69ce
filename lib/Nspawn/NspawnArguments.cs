namespace Layerbox.Nspawn;

/// <summary>The command line of systemd-nspawn(1) for a container.</summary>
internal static class NspawnArguments
{
    /// <param name="spec">What is to run.</param>
    /// <param name="root">Its root, absolute.</param>
    public static List<string> Of(ContainerSpec spec, string root) =>
        // Its default console mode swallows standard input and hangs on files.
        [.. Common(spec, root), "--console=pipe", "--", .. Init];

    /// <summary>
    /// The same for a system that boots; what it writes to its console comes out of nspawn. Not "--boot", which starts an init itself: ours becomes the image's when the
    /// container is as it should be.
    /// </summary>
    /// <inheritdoc cref="Of"/>
    public static List<string> OfBoot(ContainerSpec spec, string root) =>
        [.. Common(spec, root), "--console=read-only", "--notify-ready=yes", "--setenv=container=layerbox", "--", .. Init];

    private static string[] Init => [$"/proc/self/fd/{ContainerDescriptors.Executable}", ContainerEntry.Init, ContainerEntry.Version];

    private static List<string> Common(ContainerSpec spec, string root)
    {
        (IReadOnlyList<string> keep, IReadOnlyList<string> drop) = ContainerCapabilities.OfNspawn(spec);
        List<string> arguments =
        [
            "--quiet",
            // No machined, no scope of its own: neither systemd nor D-Bus is needed on the host.
            "--register=no", "--keep-unit",
            // Nothing of the host's configuration, time zone, journal or resolver reaches the image.
            "--settings=no", "--timezone=off", "--link-journal=no", "--resolv-conf=off",
            $"--machine=layerbox-{Guid.NewGuid():N}",
            $"--hostname={spec.HostName}",
            $"--directory={root}",
            $"--capability={string.Join(',', keep)}",
            $"--drop-capability={string.Join(',', drop)}",
        ];
        if (spec.Network == ContainerNetwork.None)
            arguments.Add("--private-network");
        if (spec.ReadOnly)
            arguments.Add("--read-only");
        return arguments;
    }

    /// <summary>
    /// Its whole environment. SYSTEMD_SECCOMP: compiling the system call filter takes 50 ms of 60, and what it forbids takes
    /// capabilities that we drop. SYSTEMD_NSPAWN_LOCK: we lock the root ourselves.
    /// </summary>
    public static IReadOnlyList<string> Environment { get; } =
        [$"PATH={ContainerSpec.DefaultPath}", "LANG=C.UTF-8", "SYSTEMD_SECCOMP=0", "SYSTEMD_NSPAWN_LOCK=0"];
}
