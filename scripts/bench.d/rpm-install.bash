# Sourced, as "rpm-install.bash BENCH TAG", by the benches that install packages into a layer: a btrfs volume with a folder to work in, a store with a snapshot of made packages, a layer
# that installs some of them from the snapshot TAG, and bare dnf to compare with.
[[ $(id -u) == 0 ]] || { echo "$1: needs root: volumes are mounted" >&2; exit 77; }
command -v dnf >/dev/null || { echo "$1: dnf is not here" >&2; exit 77; }
made=$root/artifacts/made-rpms
"$root/scripts/make-rpms" "$made" || { echo "$1: the packages cannot be made here" >&2; exit 77; }

"$L" volume-make "$PWD/v" --size 20G >made.json
volume=$PWD/v/volume
trap 'cd / && umount "$volume"' EXIT
export LAYERBOX_VOLUME=$volume
here=$volume/bench
mkdir "$here" "$here/home"
cd "$here"
"$L" rpm-repo-snapshot sync --store store --repo "made=file://$made/one" --tag one >/dev/null
names=(bash coreutils findutils grep libc-bin procps rpm sed sqlite3 tar util-linux)
printf '{"name": "base", "rpm_snapshot": {"store": "store", "tag": "%s"}, "features": [{"item": "rpms_install", "names": [%s]}]}\n' \
  "$2" "$(printf '"%s",' "${names[@]}" | sed 's/,$//')" >base.layer.json
: >dnf.conf
printf '%%_dbpath /usr/lib/sysimage/rpm\n' >home/.rpmmacros
# As our driver has it: no plugins, no configuration, nothing recommended, time from outside.
bare=(env HOME="$here/home" SOURCE_DATE_EPOCH=0 dnf --config="$here/dnf.conf" --noplugins --quiet --assumeyes --releasever=1 --setopt=reposdir=/nonexistent --setopt=varsdir=/nonexistent
  --setopt=install_weak_deps=0 --setopt=cachedir="$here/dnf-cache" --repofrompath="made,file://$made/one" --setopt=made.gpgcheck=0 --repo=made --installroot="$here/bare")
ours=("$L" layer-compile base.layer.json --no-cache --progress none)
clean="$L subvol-gc --grace 0s; rm -rf bare; mkdir bare; sync -f ."
