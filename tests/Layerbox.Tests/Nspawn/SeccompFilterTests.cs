using Layerbox.Nspawn;

namespace Layerbox.Tests.Nspawn;

public sealed class SeccompFilterTests
{
    private const uint X86_64 = 0xC000003E, I386 = 0x40000003;
    private const uint Allow = 0x7FFF0000, Refuse = 0x00050001, NotThere = 0x00050026, Done = 0x00050000, Kill = 0x80000000;
    private const int Numbers = 600;

    // Calls whose numbers the kernel will never change (unistd_64.h), on both sides of every step of the program.
    [Theory]
    [InlineData(0u, Allow)]
    [InlineData(59u, Allow)]
    [InlineData(102u, Allow)]
    [InlineData(103u, Refuse)]
    [InlineData(165u, Refuse)]
    [InlineData(250u, Refuse)]
    [InlineData(257u, Allow)]
    [InlineData(272u, Refuse)]
    [InlineData(308u, Refuse)]
    [InlineData(321u, Refuse)]
    [InlineData(425u, NotThere)]
    [InlineData(435u, NotThere)]
    [InlineData(437u, Allow)]
    [InlineData(442u, Refuse)]
    [InlineData(467u, Refuse)]
    [InlineData(0x40000000u, NotThere)]
    public void Judges_a_call(uint number, uint verdict) => Assert.Equal(verdict, Run(new ContainerSpec("/", ["/bin/true"]), number, X86_64));

    [Fact]
    public void Ends_programs_of_another_kind() => Assert.Equal(Kill, Run(new ContainerSpec("/", ["/bin/true"]), 0, I386));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Lets_syncs_succeed_without_being_done(bool filter)
    {
        ContainerSpec spec = new("/", ["/bin/true"]) { SuppressSync = true, SystemCallFilter = filter };
        // msync, fsync, fdatasync, sync, sync_file_range, syncfs
        uint[] syncs = [26, 74, 75, 162, 277, 306];
        Assert.Equal(syncs, Enumerable.Range(0, Numbers).Select(number => (uint)number).Where(number => Run(spec, number, X86_64) == Done));
        Assert.Equal(syncs.Length, SeccompFilter.IgnoredCalls(spec).Count());
        Assert.Equal(filter ? Refuse : Allow, Run(spec, 165, X86_64));
        Assert.Equal(filter ? Kill : Allow, Run(spec, 0, I386));
        Assert.DoesNotContain(Enumerable.Range(0, Numbers), number => Run(spec with { SuppressSync = false }, (uint)number, X86_64) == Done);
    }

    // A number out of order would be passed over.
    [Fact]
    public void Refuses_all_that_it_names_and_nothing_else()
    {
        ContainerSpec spec = new("/", ["/bin/true"]);
        int refused = Enumerable.Range(0, Numbers).Count(number => Run(spec, (uint)number, X86_64) == Refuse);
        Assert.Equal(SeccompFilter.RefusedCalls(ContainerCapabilities.Of(spec)).Count(), refused);
    }

    // The few instructions that the filter is made of (linux/filter.h), with all arguments of the call 0.
    private static uint Run(ContainerSpec spec, uint number, uint architecture)
    {
        ulong[] program = SeccompFilter.For(spec);
        uint word = 0;
        for (int at = 0; ; at++)
        {
            Assert.True(at < program.Length);
            (ushort code, byte yes, byte no, uint value) = ((ushort)program[at], (byte)(program[at] >> 16), (byte)(program[at] >> 24), (uint)(program[at] >> 32));
            switch (code)
            {
                case 0x20:
                    word = value switch { 0 => number, 4 => architecture, _ => 0 };
                    break;
                case 0x06:
                    return value;
                default:
                    bool holds = code switch { 0x15 => word == value, 0x35 => word >= value, 0x45 => (word & value) != 0, _ => throw new InvalidDataException($"{code:x}") };
                    at += holds ? yes : no;
                    break;
            }
        }
    }
}
