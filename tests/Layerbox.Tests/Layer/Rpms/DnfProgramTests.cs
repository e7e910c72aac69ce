using Layerbox.Layer;
using Layerbox.Layer.Rpms;

namespace Layerbox.Tests.Layer.Rpms;

public class DnfProgramTests
{
    [Theory]
    [InlineData("dnf-3", "#!/usr/bin/python3\n", "/usr/bin/python3")]
    [InlineData("dnf", "#! /usr/bin/python3.12 -s\nimport sys", "/usr/bin/python3.12")]
    [InlineData("dnf", "#!/usr/libexec/platform-python -s\n", "/usr/libexec/platform-python")] // RHEL 8
    [InlineData("dnf-3", "#!/usr/bin/env python3\n", "/usr/bin/python3")]
    [InlineData("dnf", "\u007fELF\u0002\u0001", null)] // dnf 5
    [InlineData("dnf", "#!/bin/sh\nexec dnf5 \"$@\"\n", null)]
    [InlineData("dnf", "#!python3\n", null)]
    [InlineData("dnf", "", null)]
    public void Knows_the_Python_of_dnf_4(string program, string content, string? expected)
    {
        using TempFolder root = new();
        Directory.CreateDirectory(root / "usr/bin");
        File.WriteAllText(root / $"usr/bin/{program}", content);
        if (expected is not null)
            Assert.Equal(expected, DnfProgram.Find(root.Path, "here").Interpreter);
        else
            Assert.Equal($"here: /usr/bin/{program} is no Python program: dnf 4 is needed (Fedora: package python3-dnf)", Assert.Throws<LayerException>(() => DnfProgram.Find(root.Path, "here")).Message);
    }
}
