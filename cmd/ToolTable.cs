using Layerbox.Cmd.Sendstream;
using Layerbox.Cmd.Subvol;

namespace Layerbox.Cmd;

/// <summary>All tools by name. Only the one that is called is declared, so the others cost nothing.</summary>
internal static class ToolTable
{
    public static OrderedDictionary<string, Func<Tool>> Tools { get; } = new(StringComparer.Ordinal)
    {
        ["container-enter"] = Containers.ContainerEnter.Declare,
        ["container-list"] = Containers.ContainerList.Declare,
        ["container-run"] = Containers.ContainerRun.Declare,
        ["image-package"] = Images.ImagePackage.Declare,
        ["layer-compile"] = Layers.LayerCompile.Declare,
        ["layer-diff"] = Layers.LayerDiff.Declare,
        ["layer-import"] = Layers.LayerImport.Declare,
        ["layer-show"] = Layers.LayerShow.Declare,
        ["rpm-extract"] = Rpms.RpmExtract.Declare,
        ["rpm-repo-serve"] = Rpms.RpmRepoServe.Declare,
        ["rpm-repo-snapshot"] = Rpms.RpmRepoSnapshot.Declare,
        ["rpm-resolve"] = Rpms.RpmResolve.Declare,
        ["rpm-show"] = Rpms.RpmShow.Declare,
        ["rpm-verify"] = Rpms.RpmVerify.Declare,
        ["sendstream-apply"] = SendstreamApply.Declare,
        ["sendstream-check"] = SendstreamCheck.Declare,
        ["sendstream-diff"] = SendstreamDiff.Declare,
        ["sendstream-make"] = SendstreamMake.Declare,
        ["sendstream-parse"] = SendstreamParse.Declare,
        ["sendstream-rewrite"] = SendstreamRewrite.Declare,
        ["sendstream-tar"] = SendstreamTar.Declare,
        ["subvol-delete"] = SubvolDelete.Declare,
        ["subvol-gc"] = SubvolGc.Declare,
        ["subvol-list"] = SubvolList.Declare,
        ["subvol-make"] = SubvolMake.Declare,
        ["subvol-set"] = SubvolSet.Declare,
        ["subvol-show"] = SubvolShow.Declare,
        ["subvol-snapshot"] = SubvolSnapshot.Declare,
        ["volume-make"] = Volumes.VolumeMake.Declare,
    };
}
