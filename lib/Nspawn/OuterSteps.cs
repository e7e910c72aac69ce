using System.Globalization;
using Layerbox.Posix;
using static Layerbox.Nspawn.KernelCalls;

namespace Layerbox.Nspawn;

/// <summary>A step of a plan failed that whoever clones makes itself.</summary>
internal sealed class OuterStepException(int step, Errno errno) : Exception
{
    /// <summary>What is told of it.</summary>
    public InitReport Report => new(InitReport.Kind.StepFailed, InitReport.StepAndErrno(step, (int)errno));
}

/// <summary>
/// Makes the control groups of a container with users of its own and puts its process 1 into them, which may not do so: root of the host with no capability
/// there cannot even make a folder, since those of control groups are closed to their owner.
/// </summary>
internal static unsafe class OuterSteps
{
    /// <summary>Room for the number of a process, with the end of a line behind it.</summary>
    public const int NumberLength = 12;

    /// <param name="plan">Says which.</param>
    /// <param name="id">Process 1.</param>
    /// <exception cref="OuterStepException">One failed.</exception>
    public static void Perform(KernelPlan* plan, int id)
    {
        if (plan->OuterStepCount == 0)
            return;
        id.TryFormat(new Span<byte>(plan->Process1, NumberLength - 1), out int digits, default, CultureInfo.InvariantCulture);
        plan->Process1[digits] = (byte)'\n';
        int* registers = stackalloc int[KernelStep.RegisterCount];
        for (int i = 0; i < plan->OuterStepCount; i++)
        {
            KernelStep* step = plan->OuterSteps + i;
            nint result = Call(step->Call, ContainerChild.Argument(step, 0, registers), ContainerChild.Argument(step, 1, registers), ContainerChild.Argument(step, 2, registers),
                ContainerChild.Argument(step, 3, registers), ContainerChild.Argument(step, 4, registers), ContainerChild.Argument(step, 5, registers));
            if (result < 0)
                throw new OuterStepException(i, (Errno)(-result));
            if (step->Result != 0)
                registers[step->Result] = (int)result;
        }
    }
}
