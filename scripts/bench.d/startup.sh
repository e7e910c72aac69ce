# What it costs to be started at all, against the smallest program there is.
measure 'start: `layerbox --list` against `true`' --runs 100 -- "$L" --list -- /bin/true
measure 'start: `layerbox subvol-show --help` against `btrfs --help`' --runs 100 -- "$L" subvol-show --help -- btrfs subvolume show --help
measure 'start: `layerbox --version` against `openssl version`' --runs 50 -- "$L" --version -- openssl version
