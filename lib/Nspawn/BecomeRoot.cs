using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>
/// The steps by which root of the host, who is nobody in a user namespace that does not have him, becomes root of that: he can make no file there before, and may
/// open the host's files only until then.
/// </summary>
internal static class BecomeRoot
{
    /// <summary>What failures of the steps are told by.</summary>
    public const string Call = "become";

    public static void Add(PlanWriter plan, StepList steps)
    {
        const int PR_SET_PDEATHSIG = 1;
        StepLabel label = new(Call, "root of the user namespace");
        steps.Do(label, setgroups, 0, plan.Bytes([]));
        steps.Do(label, setresgid, 0, 0, 0);
        steps.Do(label, setresuid, 0, 0, 0);
        // Which that resets.
        steps.Do(label, prctl, PR_SET_PDEATHSIG, (int)Signal.SIGKILL, 0, 0, 0);
    }
}
