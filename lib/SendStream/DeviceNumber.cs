namespace Layerbox.SendStream;

/// <summary>The numbers of a device as RDEV packs them (linux/kdev_t.h, new_encode_dev): mmmMMMmm in hexadecimal digits.</summary>
internal static class DeviceNumber
{
    public const uint MaxMajor = 0xFFF, MaxMinor = 0xFFFFF;

    public static uint Join(uint major, uint minor) => (minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12);

    public static (uint Major, uint Minor) Split(uint number) => ((number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00));
}
