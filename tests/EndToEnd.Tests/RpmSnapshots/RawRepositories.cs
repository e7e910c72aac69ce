using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Layerbox.Tests.EndToEnd.RpmSnapshots;

/// <summary>Repositories without rpmbuild and createrepo_c. That their packages are no RPMs is nothing to a store.</summary>
internal static class RawRepositories
{
    /// <summary>Writes a repository of packages pFIRST, pFIRST+1 and so on. A package of one number has the same bytes in every repository.</summary>
    /// <param name="folder">Its root.</param>
    /// <param name="first">The first number.</param>
    /// <param name="count">How many.</param>
    /// <param name="copies">How long each is.</param>
    /// <param name="isSha512">Checksums of another type than the store's own.</param>
    /// <param name="time">In repomd.xml: seconds.</param>
    public static void Write(string folder, int first, int count, int copies = 1, bool isSha512 = false, int time = 1)
    {
        Directory.CreateDirectory(Path.Combine(folder, "repodata"));
        StringBuilder primary = new(string.Create(CultureInfo.InvariantCulture, $"<metadata xmlns='http://linux.duke.edu/metadata/common' packages='{count}'>"));
        for (int i = first; i < first + count; i++)
        {
            byte[] bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(string.Create(CultureInfo.InvariantCulture, $"package {i}"), copies)));
            File.WriteAllBytes(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{i}.rpm")), bytes);
            (string type, byte[] digest) = isSha512 ? ("sha512", SHA512.HashData(bytes)) : ("sha256", SHA256.HashData(bytes));
            primary.Append(CultureInfo.InvariantCulture, $"""
                <package type='rpm'><name>p{i}</name><arch>noarch</arch><version epoch='0' ver='1' rel='1'/><checksum type='{type}' pkgid='YES'>{Convert.ToHexStringLower(digest)}</checksum><size package='{bytes.Length}'/><location href='{i}.rpm'/></package>
                """);
        }
        byte[] document = Encoding.ASCII.GetBytes(primary.Append("</metadata>").ToString());
        File.WriteAllBytes(Path.Combine(folder, "repodata/primary.xml"), document);
        File.WriteAllText(Path.Combine(folder, "repodata/repomd.xml"), string.Create(CultureInfo.InvariantCulture, $"""
            <repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><checksum type='sha256'>{Convert.ToHexStringLower(SHA256.HashData(document))}</checksum><location href='repodata/primary.xml'/><timestamp>{time}</timestamp></data></repomd>
            """));
    }
}
