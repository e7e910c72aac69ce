using System.Runtime.InteropServices;

namespace Layerbox.Compression;

/// <summary>
/// Memory of a C structure that a library keeps pointers into, and the call that ends it: zlib, liblzma and bzip2
/// all remember the address of the structure, so it must not move.
/// </summary>
internal sealed unsafe class NativeState : SafeHandle
{
    private readonly Action<nint> _end;

    public NativeState(int size, Action<nint> end) : base(0, ownsHandle: true)
    {
        _end = end;
        SetHandle((nint)NativeMemory.AllocZeroed((nuint)size));
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The structure. Valid as long as the owner, which disposes this object, is alive.</summary>
    public void* Pointer => (void*)handle;

    protected override bool ReleaseHandle()
    {
        _end(handle);
        NativeMemory.Free((void*)handle);
        return true;
    }
}
