using Layerbox.RpmSnapshot;

namespace Layerbox.Tests.RpmSnapshot;

/// <summary>Public keys in a row, of which rpm takes one at a time.</summary>
public class PublicKeysTests
{
    // A key of two bytes, a user and a subkey of one, in both formats of packets and with each kind of length.
    [Theory]
    [InlineData("99 0002 AABB", "99 0002 AABB")]
    [InlineData("99 0002 AABB B4 01 75 CE 01 01 C6 02 CCDD", "99 0002 AABB B4 01 75 CE 01 01", "C6 02 CCDD")]
    [InlineData("9A 00000001 AA C6 FF00000001 BB CD C000 ZERO", "9A 00000001 AA", "C6 FF00000001 BB CD C000 ZERO")]
    public void Each_comes_with_what_belongs_to_it(string packets, params string[] expected) =>
        Assert.Equal(expected.Select(Bytes), PublicKeys.Parse(Bytes(packets)).Certificates());

    [Theory]
    [InlineData("99 0002 AA", "damaged")]
    [InlineData("99 00", "damaged")]
    [InlineData("99 0001 AA C6", "damaged")]
    [InlineData("99 0001 AA 46 01 AA", "damaged")]
    [InlineData("9B AABB", "damaged")] // as long as there are bytes
    [InlineData("C6 E1 AABB", "damaged")] // in parts
    [InlineData("C6 FFFFFFFFFF AA", "damaged")]
    public void What_is_no_row_of_packets_is_told(string packets, string expected) =>
        Assert.Equal($"its OpenPGP packets are {expected}", Assert.Throws<InvalidDataException>(() => PublicKeys.Parse(Bytes(packets)).Certificates()).Message);

    private static byte[] Bytes(string digits) => Convert.FromHexString(digits.Replace("ZERO", new string('0', 2 * 192), StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal));
}
