using System.Globalization;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>A systemd-nspawn at work: our end of its pipes, and the cleaning up after it.</summary>
internal sealed class NspawnContainer : PipedContainer
{
    // What nspawn has to say when it fails is a line or two.
    private const int ComplaintsMax = 16 * 1024;

    internal const string Usr = "usr";

    // nspawn 252 makes its device nodes and mounts through a link here, wherever on the host that leads.
    internal static readonly string[] RealFolders = ["dev", "etc", "proc", "root", "run", "sys", "tmp", Usr, "var"];

    internal static readonly string[] EmptyFiles = ["etc/machine-id", "etc/os-release", "etc/resolv.conf", "usr/lib/os-release"];

    private readonly NspawnPlan _plan;
    private readonly ContainerTree? _tree;
    private readonly SafeFileHandle _complaints;

    public NspawnContainer(ContainerSpec spec, string nspawn, string executable) : base(spec)
    {
        string root = RealPath.Of(spec.Root);
        _plan = new NspawnPlan(spec);
        _tree = ContainerTree.Open(spec, RealFolders, EmptyFiles);
        (_complaints, SafeFileHandle complaintsEnd) = Pipes.Make();
        try
        {
            // Without usr nspawn takes this for no system at all; and it makes no mount points in a root that is to be read-only.
            _tree?.MakeMountPoints([Usr], all: spec.ReadOnly);
            using (complaintsEnd)
                Start((reports, control) => StartGuard(executable, GuardArguments(spec, root, nspawn), complaintsEnd, reports, control));
        }
        catch
        {
            _complaints.Dispose();
            _tree?.Dispose();
            throw;
        }
        Write(_plan.Bytes);
    }

    protected override (string Engine, ulong Capabilities)? Identity => (NspawnEngine.Name, ContainerCapabilities.Bits(Spec));

    protected override void Clean() => _tree?.Clean();

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _complaints.Dispose();
        _tree?.Dispose();
    }

    protected override ContainerException Explain(InitReport? report)
    {
        switch (report)
        {
            case { What: InitReport.Kind.StepFailed } failed:
                return _plan.Label(failed.Step).Explain(failed.StepErrno);
            case { } failed:
                return CannotStart((Errno)failed.Value);
            default:
                string complaint = LastLine(ReadToEnd(_complaints, ComplaintsMax));
                return new ContainerException($"{Spec.Root}: systemd-nspawn: {(complaint.Length > 0 ? complaint : Child.Wait().ToString())}");
        }
    }

    private static List<string> GuardArguments(ContainerSpec spec, string root, string nspawn)
    {
        List<string> arguments = [ContainerEntry.Guard, ContainerEntry.Version, Descriptors(spec), spec.Ephemeral ? root : ""];
        if (spec.Ephemeral)
        {
            arguments.Add(ContainerGuard.FolderMark + Usr);
            if (spec.ReadOnly)
            {
                arguments.AddRange(RealFolders.Concat(spec.Tmpfs).Select(path => ContainerGuard.FolderMark + path));
                arguments.AddRange(spec.Binds.Select(bind => (Files.Status(bind.Source, followLinks: true).IsDirectory ? ContainerGuard.FolderMark : ContainerGuard.FileMark) + bind.Destination));
            }
        }
        arguments.AddRange(spec.Binds.Select(bind => (bind.IsRecursive ? ContainerGuard.RecursiveBindMark : ContainerGuard.BindMark) + RealPath.Of(bind.Source)));
        return [.. arguments, ContainerGuard.EndOfMountPoints, nspawn, .. NspawnArguments.Of(spec, spec.Ephemeral ? ContainerGuard.Overlay : root)];
    }

    private static string Descriptors(ContainerSpec spec) => (ContainerDescriptors.Count + spec.ForwardedDescriptors.Count).ToString(CultureInfo.InvariantCulture);

    private ChildProcess StartGuard(string executable, List<string> arguments, SafeFileHandle complaints, SafeFileHandle reports, SafeFileHandle control)
    {
        using SafeFileHandle nothing = Files.Open("/dev/null", OpenFlags.ReadWrite), input = Standard(0), output = Standard(1), error = Standard(2);
        // With a terminal of its own the command sees nothing of ours.
        bool isOwn = Spec.Terminal is not null;
        return ChildProcess.Start(new ProgramStart(executable, arguments)
        {
            Argument0 = "layerbox",
            Environment = NspawnArguments.Environment,
            Input = nothing,
            Output = nothing,
            Error = complaints,
            // Nothing keeps the places of the executable and of what is bound, which the guard opens.
            Inherited = [Spec.Input ?? (isOwn ? nothing : input), Spec.Output ?? (isOwn ? nothing : output), Spec.Error ?? (isOwn ? nothing : error), reports, control, nothing, .. Spec.ForwardedDescriptors, .. Spec.Binds.Select(_ => nothing)],
        });
    }

    private static string LastLine(byte[] text) =>
        PathText.FromBytes(text).Split('\n').LastOrDefault(line => line.Trim().Length > 0)?.Trim().TrimEnd('.') ?? "";
}
