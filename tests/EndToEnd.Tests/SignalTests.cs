namespace Layerbox.Tests.EndToEnd;

/// <summary>A tool that is told to stop cleans up and dies of what it was told.</summary>
public class SignalTests
{
    [Theory]
    [InlineData("INT", ":", 130, "")]
    [InlineData("TERM", ":", 143, "")]
    [InlineData("HUP", ":", 129, "")]
    [InlineData("HUP", "trap '' HUP", 2, "layer-import: ")]
    public void Removes_what_it_began_and_dies_of_the_signal_unless_that_is_ignored(string signal, string before, int status, string said)
    {
        using TempVolume volume = TempVolume.OrSkip();
        using TempFolder folder = new();
        // Job control, because a shell without it starts background jobs with SIGINT ignored.
        string output = Executable.Shell(
            $$"""
            set -m; mkfifo in; wrong=$(sha256sum < /dev/null | cut -d ' ' -f 1)
            ({{before}}; exec "$L" layer-import - --name x --progress none --sha256 $wrong --volume '{{volume.Path}}') < in 2> said & pid=$!
            exec 3> in
            tar --create --file - /usr/bin/env 2> /dev/null >&3
            until ls '{{volume.Path}}'/tmp/* > /dev/null 2>&1 || ! kill -0 $pid; do sleep 0.02; done
            kill -{{signal}} $pid
            # Its input ends only after the signal has done what it does.
            {{(said.Length > 0 ? "sleep 0.3" : "for ((i = 0; i < 6000; i++)); do kill -0 $pid 2> /dev/null || break; sleep 0.02; done")}}; exec 3>&-; wait $pid; echo $?
            find '{{volume.Path}}/tmp' '{{volume.Path}}/layers' -mindepth 1
            cut -c 1-14 said
            """, folder.Path).Out;
        Assert.Equal($"{status}\n{said}{(said.Length > 0 ? "\n" : "")}", output);
    }
}
