using System.Text;
using Layerbox.Posix;
using Microsoft.Win32.SafeHandles;

namespace Layerbox.Nspawn;

/// <summary>Clones process 1 and maps its users, where it has a user namespace, before it does anything.</summary>
internal static unsafe class MappedClone
{
    /// <summary>The number of the new process, or minus an error number of clone3(2).</summary>
    /// <exception cref="OuterStepException">Nor can it be put into control groups.</exception>
    /// <exception cref="ContainerException">Its users cannot be mapped; there is no process then.</exception>
    public static int Start(KernelPlan* plan, CloneContext* context)
    {
        if (plan->UserMap is null)
            return ContainerChild.Start(plan, context);
        (SafeFileHandle read, SafeFileHandle write) = MessageSockets.Make();
        using (read)
        using (write)
        {
            (context->Mapped, context->MappedEnd) = ((int)read.DangerousGetHandle(), (int)write.DangerousGetHandle());
            int id = ContainerChild.Start(plan, context);
            if (id < 0)
                return id;
            try
            {
                IdMapping.Write(plan, id);
                OuterSteps.Perform(plan, id);
                OuterMounts.Send(plan, id, write);
                return id;
            }
            catch (Exception e)
            {
                int status;
                KernelCalls.Call(KernelCalls.kill, id, (int)Signal.SIGKILL);
                while (KernelCalls.Wait(id, &status) == -(int)Errno.EINTR)
                {
                }
                // Nobody reads there any more: it was killed before it began.
                if (e is PosixException)
                    throw new ContainerException($"process 1 of the container has ended: {e.Message}");
                throw;
            }
        }
    }

    /// <summary>Why clone3(2) failed.</summary>
    public static ContainerException Explain(Errno errno, ContainerSpec spec) => (errno, spec.Users) switch
    {
        (Errno.EPERM or Errno.ENOSYS, { KeepsOwners: true }) => new("no user namespace can be made here, as in a container around us without CAP_SYS_ADMIN: leave out --user-namespace"),
        (Errno.EPERM or Errno.EACCES or Errno.ENOSYS, not null) => new("this user may not make user namespaces here (kernel.unprivileged_userns_clone, "
            + "kernel.apparmor_restrict_unprivileged_userns, or a container around us): run this as root"),
        (Errno.ENOSPC or Errno.EUSERS, not null) => new($"no more namespaces for this user: /proc/sys/user/max_user_namespaces is {Limit()}: run this as root, or raise that"),
        (Errno.EPERM or Errno.ENOSYS, _) => new($"{new PosixException("clone", errno, spec.Root).Message}: no container can be made here, as in one without CAP_SYS_ADMIN"),
        _ => new(new PosixException("clone", errno, spec.Root).Message),
    };

    private static string Limit()
    {
        try
        {
            return Encoding.ASCII.GetString(WholeFile.Read("/proc/sys/user/max_user_namespaces")).Trim();
        }
        catch (PosixException)
        {
            return "too low";
        }
    }
}
