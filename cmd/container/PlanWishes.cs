namespace Layerbox.Cmd.Containers;

/// <summary>What was asked for besides a description of the container.</summary>
/// <param name="Engine">builtin or nspawn.</param>
/// <param name="Changes">memory, snapshot, keep or in_place.</param>
/// <param name="Keep">Where the snapshot is made that stays; null: none is.</param>
/// <param name="DiesWithParent">With the process that started us.</param>
/// <param name="Boot">Null: a command alone.</param>
internal sealed record PlanWishes(string Engine, string Changes, string? Keep, bool DiesWithParent, BootRequest? Boot);
