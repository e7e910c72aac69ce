namespace Layerbox.Tests.Rpm;

/// <summary>Packages made by rpmbuild, once for all tests: one with all that a header can hold, and one for each way to compress.</summary>
internal static class BuiltRpms
{
    private static readonly Lazy<TempFolder> s_folder = new(Build);

    /// <summary>The folder that holds them.</summary>
    public static string Folder => s_folder.Value.Path;

    /// <summary>Their paths, sorted.</summary>
    public static IReadOnlyList<string> All => [.. Directory.EnumerateFiles(Folder, "*.rpm").Order(StringComparer.Ordinal)];

    public static string PathOf(string name) => Path.Combine(Folder, name);

    public static byte[] Bytes(string name) => File.ReadAllBytes(PathOf(name));

    /// <summary>Files, links, modes, owners, capabilities, every script, every kind of relation, texts in two languages, an epoch.</summary>
    public const string Full = "full-1.5~rc1-2^git1.noarch.rpm";

    public const string FullSource = "full-1.5~rc1-2^git1.src.rpm";

    /// <summary>What rpmbuild calls its ways to compress, and what our own name for the package is.</summary>
    public static readonly TheoryData<string, string> Compressors = new()
    {
        { "pay-none", "w.ufdio" },
        { "pay-gzip", "w9.gzdio" },
        { "pay-bzip2", "w9.bzdio" },
        { "pay-xz", "w2.xzdio" },
        { "pay-lzma", "w2.lzdio" },
        { "pay-zstd", "w19.zstdio" },
    };

    public static string Paid(string name) => $"{name}-1-1.noarch.rpm";

    /// <summary>Builds a package from the text of a spec file, into a folder.</summary>
    public static void Build(string folder, string name, string spec, string payload = "w3.zstdio", string source = "1")
    {
        string work = Path.Combine(folder, $"work-{name}");
        Directory.CreateDirectory(work);
        File.WriteAllText(Path.Combine(work, $"{name}.spec"), spec);
        Programs.Run(
            "env", $"HOME={work}", "SOURCE_DATE_EPOCH=1600000000", "rpmbuild", source == "1" ? "-bb" : "-ba", "--quiet", "--nodeps",
            "--define", $"_topdir {work}", "--define", $"_rpmdir {folder}", "--define", $"_srcrpmdir {folder}", "--define", "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
            "--define", $"_binary_payload {payload}", "--define", "_buildhost test.invalid", "--define", "use_source_date_epoch_as_buildtime 1",
            "--define", "clamp_mtime_to_source_date_epoch 1", "--define", "__os_install_post %{nil}", "--define", "_build_id_links none", "--define", "_dbpath %{_topdir}/db",
            Path.Combine(work, $"{name}.spec"));
        Programs.Run("rm", "-rf", work);
    }

    private static TempFolder Build()
    {
        TempFolder folder = new();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
        Build(folder.Path, "full", FullSpec, source: "2");
        foreach (var (name, payload) in Compressors.Select(row => row.Data))
            Build(folder.Path, name, PaidSpec(name), payload);
        return folder;
    }

    private static string PaidSpec(string name) => $"""
        Name: {name}
        Version: 1
        Release: 1
        Summary: one of many payloads
        License: MIT
        BuildArch: noarch
        %description
        Text that shrinks, and text that does not.
        %install
        mkdir -p %buildroot/usr/share/{name} %buildroot/etc
        seq 1 100000 > %buildroot/usr/share/{name}/numbers
        printf x > %buildroot/usr/share/{name}/one
        : > %buildroot/usr/share/{name}/empty
        ln -s ../share/{name}/numbers %buildroot/usr/share/{name}/link
        ln %buildroot/usr/share/{name}/numbers %buildroot/usr/share/{name}/again
        ln %buildroot/usr/share/{name}/numbers %buildroot/etc/{name}.hard
        %files
        /usr/share/{name}
        /etc/{name}.hard
        """;

    private const string FullSpec = """"
        Name: full
        Epoch: 3
        Version: 1.5~rc1
        Release: 2^git1
        Summary: Everything there is
        Summary(de): Alles, was es gibt: äöü
        License: MIT and "others" <all>
        Group: Test/Things
        URL: https://example.invalid/full?a=1&b=2
        Vendor: Nobody
        Packager: Somebody <some@body.invalid>
        Distribution: None
        BuildArch: noarch
        Provides: virtual = 1:2-3, capability(x)
        Requires: other >= 2:1.0-1, (a if b), /bin/sh
        Requires(pre): early
        Requires(post): late
        Conflicts: enemy < 5
        Obsoletes: old <= 1.0
        Recommends: nice
        Suggests: nicer > 1
        Supplements: base
        Enhances: (x and y)
        %description
        Several
        lines.
        %description -l de
        Mehrere Zeilen.
        %install
        mkdir -p %buildroot/etc/full %buildroot/usr/bin %buildroot/usr/share/full/empty %buildroot/var/log %buildroot/dev
        echo a > %buildroot/etc/full/main.conf
        echo b > %buildroot/etc/full/local.conf
        echo c > %buildroot/usr/bin/full
        echo d > %buildroot/usr/bin/caps
        echo e > %buildroot/usr/bin/setuid
        echo doc > %buildroot/usr/share/full/README
        echo lic > %buildroot/usr/share/full/LICENSE
        echo x > "%buildroot/usr/share/full/with space"
        echo x > "%buildroot/usr/share/full/ünï"
        echo x > %buildroot/usr/share/full/-dash
        echo x > '%buildroot/usr/share/full/back\slash'
        echo x > "%buildroot/usr/share/full/quo\"te"
        echo hard > %buildroot/usr/share/full/h1
        ln %buildroot/usr/share/full/h1 %buildroot/usr/share/full/h2
        ln %buildroot/usr/share/full/h1 %buildroot/usr/share/full/h3
        : > %buildroot/usr/share/full/hollow1
        ln %buildroot/usr/share/full/hollow1 %buildroot/usr/share/full/hollow2
        ln -s /nowhere/at/all %buildroot/usr/share/full/absolute
        ln -s ../full %buildroot/usr/share/full/loop
        mkfifo %buildroot/usr/share/full/pipe
        %pre
        echo pre $1
        %post -p /sbin/ldconfig
        %preun
        echo preun
        %postun -p <lua>
        print("postun")
        %pretrans -p <lua>
        print("pretrans")
        %posttrans
        echo posttrans
        %verifyscript
        echo verify
        %triggerin -- other > 1, third
        echo triggerin
        %triggerun -- other
        echo triggerun
        %triggerpostun -- fourth
        echo triggerpostun
        %triggerprein -- fifth
        echo triggerprein
        %filetriggerin -P 5 -- /usr/lib /usr/share
        echo filetrigger
        %transfiletriggerpostun -- /etc
        echo transfiletrigger
        %files
        %dir %attr(0750,root,adm) /etc/full
        %config /etc/full/main.conf
        %config(noreplace) %attr(0640,daemon,mail) /etc/full/local.conf
        /usr/bin/full
        %caps(cap_net_bind_service,cap_net_raw=ep) /usr/bin/caps
        %attr(4755,root,root) /usr/bin/setuid
        %dir /usr/share/full
        %attr(1777,root,root) %dir /usr/share/full/empty
        %doc /usr/share/full/README
        %license /usr/share/full/LICENSE
        "/usr/share/full/with space"
        /usr/share/full/ünï
        /usr/share/full/-dash
        /usr/share/full/back*
        /usr/share/full/quo*
        /usr/share/full/h*
        %lang(de) /usr/share/full/absolute
        /usr/share/full/loop
        /usr/share/full/pipe
        %missingok /usr/share/full/-dash
        %ghost %attr(0600,root,root) /var/log/full.log
        %ghost %dir /var/lib/ghostly
        %dev(c,5,1) %attr(0600,root,tty) /dev/fullcon
        %changelog
        * Mon Sep 14 2020 Some Body <some@body.invalid> - 1.5-2
        - second
        * Sun Sep 13 2020 Some Body <some@body.invalid> - 1.5-1
        - first
        """";
}
