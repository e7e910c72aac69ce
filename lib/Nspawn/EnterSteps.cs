using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>What the command's own process does before it becomes the command, in both engines: limits, privileges, user.</summary>
internal sealed class EnterSteps(ContainerSpec spec, PlanWriter plan, StepList steps)
{
    /// <param name="terminal">The command's end of its terminal; null: it has none.</param>
    public void Add(Register? terminal)
    {
        if (terminal is { } slave)
            TerminalSteps.Attach(spec, steps, slave);
        ulong keep = spec.Target is { } target ? target.Capabilities : ContainerCapabilities.Bits(spec);
        AddUmask();
        AddOutOfMemoryScore();
        AddLimits();
        AddBoundingSet(keep);
        AddPrivileges();
        AddUser(spec.User, keep);
        steps.Do(new StepLabel("chdir", spec.WorkingDirectory), chdir, plan.Text(spec.WorkingDirectory));
        if (spec.Target is not null || spec.Boot is not null)
            AddDeathSignal();
    }

    // The container goes on without us, so an entered command has to end with whoever entered it; and an init that is not ours with the
    // launcher. Becoming a user resets this.
    private void AddDeathSignal()
    {
        const int PR_SET_PDEATHSIG = 1;
        steps.Do(new StepLabel("prctl", "signal at the parent's death"), prctl, PR_SET_PDEATHSIG, (int)Signal.SIGKILL, 0, 0, 0);
    }

    private void AddUmask()
    {
        if (spec.Umask is { } mask)
            steps.Do(new StepLabel("umask", "command"), umask, mask);
    }

    private void AddOutOfMemoryScore()
    {
        if (spec.OutOfMemoryScore is not { } score)
            return;
        StepLabel label = new("write", "oom_score_adj");
        byte[] text = Encoding.ASCII.GetBytes(score.ToString(CultureInfo.InvariantCulture));
        // The file of a process that cannot be looked into is root's of the host. Nobody else is inside yet, who could look.
        bool isRootsOfTheHost = spec is { Users: not null, Target: null };
        if (isRootsOfTheHost)
            SetDumpable(1);
        Register file = steps.Get(label, openat, AT_FDCWD, plan.Text("/proc/self/oom_score_adj"), (int)(OpenFlags.WriteOnly | OpenFlags.CloseOnExec));
        if (isRootsOfTheHost)
            SetDumpable(0);
        steps.Do(label, write, file, plan.Bytes(text), text.Length);
        steps.Do(label, close, file);

        void SetDumpable(int value) => steps.Do(label, prctl, 4 /* PR_SET_DUMPABLE */, value, 0, 0, 0);
    }

    private void AddLimits()
    {
        foreach (ResourceLimit limit in LimitsOf(spec))
            Limit(limit);
    }

    /// <summary>All that are set: open files always are.</summary>
    public static IReadOnlyList<ResourceLimit> LimitsOf(ContainerSpec spec) =>
        spec.ResourceLimits.Any(limit => limit.Name == ResourceLimit.OpenFilesName) ? spec.ResourceLimits : [ResourceLimit.DefaultOfOpenFiles(), .. spec.ResourceLimits];

    // struct rlimit64 { u64 soft, hard; } (linux/resource.h)
    private void Limit(ResourceLimit limit) =>
        steps.Do(new StepLabel("set resource limit", limit.ToString()), prlimit64, 0, limit.Number, plan.Bytes(MemoryMarshal.AsBytes<ulong>([limit.Soft, limit.Hard])), 0);

    private void AddBoundingSet(ulong keep)
    {
        const int PR_CAPBSET_DROP = 24, PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_CLEAR_ALL = 4;
        for (int i = 0; i < ContainerCapabilities.Names.Count; i++)
        {
            // EINVAL: one that this kernel does not know.
            if ((keep >> i & 1) == 0)
                steps.Try(new StepLabel("drop", ContainerCapabilities.Names[i]), Errno.EINVAL, prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
        }
        steps.Try(new StepLabel("drop", "ambient capabilities"), Errno.EINVAL, prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    }

    // While we still have CAP_SYS_ADMIN, without which only a process that gave up new privileges may have a filter.
    private void AddPrivileges()
    {
        const int PR_SET_NO_NEW_PRIVS = 38, SECCOMP_SET_MODE_FILTER = 1;
        if (spec.NoNewPrivileges)
            steps.Do(new StepLabel("prctl", "no new privileges"), prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (spec.SystemCallFilter || spec.SuppressSync)
            steps.Do(new StepLabel("seccomp", "system call filter"), seccomp, SECCOMP_SET_MODE_FILTER, 0, plan.Filter(SeccompFilter.For(spec)));
    }

    private void AddUser(ContainerUser user, ulong keep)
    {
        // struct __user_cap_header_struct and two of __user_cap_data_struct { u32 effective, permitted, inheritable; } (linux/capability.h)
        const uint _LINUX_CAPABILITY_VERSION_3 = 0x20080522;
        const int PR_SET_KEEPCAPS = 8, PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_RAISE = 2;
        ulong ambient = ContainerCapabilities.AmbientBits(spec, keep), left = user.Uid == 0 ? keep : ambient;
        (uint low, uint high) = ((uint)left, (uint)(left >> 32));
        StepLabel label = new("become user", $"uid {user.Uid.ToString(CultureInfo.InvariantCulture)}");
        uint[] groups = [.. user.Groups];
        if (spec.Users is not { MaySetGroups: false })
            steps.Do(label, setgroups, groups.Length, plan.Bytes(MemoryMarshal.AsBytes<uint>(groups)));
        steps.Do(label, setresgid, user.Gid, user.Gid, user.Gid);
        // Until the command is executed.
        if (ambient != 0)
            steps.Do(label, prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
        steps.Do(label, setresuid, user.Uid, user.Uid, user.Uid);
        steps.Do(new StepLabel("capset", "capabilities"), capset, plan.Bytes(MemoryMarshal.AsBytes<uint>([_LINUX_CAPABILITY_VERSION_3, 0])),
            plan.Bytes(MemoryMarshal.AsBytes<uint>([low, low, (uint)ambient, high, high, (uint)(ambient >> 32)])));
        for (int i = 0; i < ContainerCapabilities.Names.Count; i++)
        {
            if ((ambient >> i & 1) != 0)
                steps.Do(new StepLabel("raise", ContainerCapabilities.Names[i]), prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0);
        }
    }
}
