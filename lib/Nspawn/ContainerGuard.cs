using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>
/// Prepares the ground for systemd-nspawn and then becomes it: out of reach of the terminal's keys, with a /run/systemd/nspawn of its
/// own (so that nothing is left there and no names clash), and told by LISTEN_PID, which only it can know, to hand our pipes on.
/// </summary>
internal static class ContainerGuard
{
    private const string StateFolder = "/run/systemd/nspawn";

    public static int Run(string nspawn, string[] arguments)
    {
        try
        {
            CurrentProcess.NewSession();
            CurrentProcess.SetUmask(0x12 /* 0022 */);
            CurrentProcess.NewMountNamespace();
            Directories.MakeAll(StateFolder);
            Mounts.Mount("tmpfs", StateFolder, "tmpfs", MountFlags.MS_NOSUID | MountFlags.MS_NODEV, "mode=0755");
            OfferExecutable();
            List<string> environment = ProgramStart.InheritedEnvironment();
            environment.Add(string.Create(CultureInfo.InvariantCulture, $"LISTEN_PID={CurrentProcess.Id}"));
            environment.Add(string.Create(CultureInfo.InvariantCulture, $"LISTEN_FDS={ContainerDescriptors.Count}"));
            CurrentProcess.Execute(nspawn, arguments, environment);
        }
        catch (PosixException e)
        {
            FdStream.StandardError.Write(PathText.ToBytes($"{e.Message}\n"));
        }
        return 1;
    }

    // Process 1 runs from this descriptor, so nothing of ours has to be put into the image. It is opened through a read-only mount that
    // does not exist inside: whoever gets at /proc/1/exe cannot write to the host's file (CVE-2019-5736).
    private static void OfferExecutable()
    {
        const string Place = $"{StateFolder}/executable";
        Files.Open(Place, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, 0x180 /* 0600 */).Dispose();
        // By its path: /proc/self/exe is a file of the mounts that we have just left, which cannot be bound here.
        string self = PathText.FromBytes(Files.ReadLink(Directories.Current, "/proc/self/exe"u8));
        Mounts.Mount(self, Place, null, MountFlags.MS_BIND);
        Mounts.Mount(null, Place, null, MountFlags.MS_BIND | MountFlags.MS_REMOUNT | MountFlags.MS_RDONLY | MountFlags.MS_NOSUID);
        using SafeFileHandle executable = Files.Open(Place, OpenFlags.PathOnly);
        CurrentProcess.PlaceDescriptor(executable, ContainerDescriptors.Executable);
    }
}
