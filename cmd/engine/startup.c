/* What the runtime of the small module does at its start for programs that live longer and do more. A container's start takes some 5 ms, of which this saves a tenth.
   Each function stands in the place of one of the runtime's (ld's --wrap, in ./link); if another version has no such function, its own start is only slower. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_stack_end;

void *__real__ZN15GCToOSInterface14VirtualReserveEmmjt(size_t size, size_t alignment, uint32_t flags, uint16_t node);
bool __real__ZN15GCToOSInterface13VirtualCommitEPvmt(void *address, size_t size, uint16_t node);
bool __real__ZN15GCToOSInterface15VirtualDecommitEPvm(void *address, size_t size);
bool __real__ZN15GCToOSInterface14VirtualReleaseEPvm(void *address, size_t size);
bool __real_PalGetMaximumStackBounds(void **low, void **high);

/* The finalizer's thread. Nothing waits for it before a collection has found something to finalize, and all that is ours to close is closed. Without it this is a process
   of one thread, which may clone (lib/Nspawn/OwnClone.cs) and read its signals. */
bool __wrap_PalStartFinalizerThread(void (*callback)(void *), void *context)
{
    (void)callback;
    (void)context;
    return true;
}

/* The limits of control groups on memory and processors: the heap has a limit of its own, and there is one thread. Likewise nodes of memory. */
void __wrap__Z16InitializeCGroupv(void)
{
}

void __wrap__Z19InitializeCpuCGroupv(void)
{
}

void __wrap__Z21NUMASupportInitializev(void)
{
}

/* Of the processor's cache, which a dozen files of /sys tell: so much is allocated before a collection. */
size_t __wrap__ZN15GCToOSInterface25GetCacheSizePerLogicalCpuEb(bool true_size)
{
    (void)true_size;
    return (size_t)32 << 20;
}

/* The collector's memory. It is mapped once and for all, not opened piece by piece by two calls each, and nothing is reserved by that. A child that is cloned does not get
   it: it has no use for it (see ContainerChild), and what it does not get need not be copied when we write there. Where so much may not be mapped (ulimit -d,
   vm.overcommit_memory=2) all is as the runtime has it. */
enum { ranges_max = 8 };
static struct { uintptr_t start, end; } ranges[ranges_max];
static int range_count;

static bool is_mapped(const void *address)
{
    for (int i = 0; i < range_count; i++)
    {
        if ((uintptr_t)address >= ranges[i].start && (uintptr_t)address < ranges[i].end)
            return true;
    }
    return false;
}

void *__wrap__ZN15GCToOSInterface14VirtualReserveEmmjt(size_t size, size_t alignment, uint32_t flags, uint16_t node)
{
    uintptr_t start;
    void *memory = MAP_FAILED;

    if (range_count < ranges_max)
        memory = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return __real__ZN15GCToOSInterface14VirtualReserveEmmjt(size, alignment, flags, node);
    madvise(memory, size + alignment, MADV_DONTFORK);
    madvise(memory, size + alignment, MADV_NOHUGEPAGE);
    start = alignment ? ((uintptr_t)memory + alignment - 1) & ~(uintptr_t)(alignment - 1) : (uintptr_t)memory;
    ranges[range_count].start = start;
    ranges[range_count++].end = start + size;
    return (void *)start;
}

bool __wrap__ZN15GCToOSInterface13VirtualCommitEPvmt(void *address, size_t size, uint16_t node)
{
    return is_mapped(address) || __real__ZN15GCToOSInterface13VirtualCommitEPvmt(address, size, node);
}

bool __wrap__ZN15GCToOSInterface15VirtualDecommitEPvm(void *address, size_t size)
{
    return is_mapped(address) ? !madvise(address, size, MADV_DONTNEED) : __real__ZN15GCToOSInterface15VirtualDecommitEPvm(address, size);
}

bool __wrap__ZN15GCToOSInterface14VirtualReleaseEPvm(void *address, size_t size)
{
    for (int i = 0; i < range_count; i++)
    {
        if (ranges[i].start == (uintptr_t)address)
            ranges[i].end = ranges[i].start;
    }
    return __real__ZN15GCToOSInterface14VirtualReleaseEPvm(address, size);
}

/* Where the main thread's stack is, for which the C library reads /proc/self/maps. */
bool __wrap_PalGetMaximumStackBounds(void **low, void **high)
{
    struct rlimit limit;
    uintptr_t end = ((uintptr_t)__libc_stack_end + 4095) & ~(uintptr_t)4095;

    if (syscall(SYS_gettid) != getpid() || getrlimit(RLIMIT_STACK, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > end / 2)
        return __real_PalGetMaximumStackBounds(low, high);
    *high = (void *)end;
    *low = (void *)((end - limit.rlim_cur) & ~(uintptr_t)4095);
    return true;
}
