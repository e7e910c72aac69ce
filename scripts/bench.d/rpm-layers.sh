# Packages in layers: installed by us from a snapshot, against bare dnf from the same repository on disk, onto the same btrfs volume. Both have dnf's metadata ready.
[[ $(id -u) == 0 ]] || { echo "rpm-layers: needs root: volumes are mounted" >&2; exit 77; }
command -v dnf >/dev/null || { echo "rpm-layers: dnf is not here" >&2; exit 77; }
made=$root/artifacts/made-rpms
"$root/scripts/make-rpms" "$made" || { echo "rpm-layers: the packages cannot be made here" >&2; exit 77; }

"$L" volume-make "$PWD/v" --size 20G >made.json
volume=$PWD/v/volume
trap 'cd / && umount "$volume"' EXIT
export LAYERBOX_VOLUME=$volume
here=$volume/bench
mkdir "$here" "$here/home"
cd "$here"
"$L" rpm-repo-snapshot sync --store store --repo "made=file://$made/one" --tag one >/dev/null
names=(bash coreutils findutils grep libc-bin procps rpm sed sqlite3 tar util-linux)
printf '{"name": "base", "rpm_snapshot": {"store": "store", "tag": "one"}, "features": [{"item": "rpms_install", "names": [%s]}]}\n' \
  "$(printf '"%s",' "${names[@]}" | sed 's/,$//')" >base.layer.json
: >dnf.conf
printf '%%_dbpath /usr/lib/sysimage/rpm\n' >home/.rpmmacros
# As our driver has it: no plugins, no configuration, nothing recommended, time from outside.
bare=(env HOME="$here/home" SOURCE_DATE_EPOCH=0 dnf --config="$here/dnf.conf" --noplugins --quiet --assumeyes --releasever=1 --setopt=reposdir=/nonexistent --setopt=varsdir=/nonexistent
  --setopt=install_weak_deps=0 --setopt=cachedir="$here/dnf-cache" --repofrompath="made,file://$made/one" --setopt=made.gpgcheck=0 --repo=made)
gc="$L subvol-gc --grace 0s"

measure 'base of 70 packages: `layer-compile` against `dnf --installroot`' --runs 5 --prepare "$gc; rm -rf bare; mkdir bare; sync -f ." \
  -- "$L" layer-compile base.layer.json --no-cache --progress none -- "${bare[@]}" --installroot="$here/bare" install "${names[@]}"
measure 'the same against `dnf`, `sha256sum` of all files and `sync -f`, which a layer is not without' --runs 5 --prepare "$gc; rm -rf bare; mkdir bare; sync -f ." \
  -- "$L" layer-compile base.layer.json --no-cache --progress none \
  -- bash -c '"$@" && find "$0" -xdev -type f -print0 | xargs -0 sha256sum && sync -f "$0"' "$here/bare" "${bare[@]}" --installroot="$here/bare" install "${names[@]}"

# Not a matter of time: what differs between two installs of the same list, in content, mode, owner or time.
list() { (cd "$1" && find . -xdev ! -type d -printf '%p %y %m %U:%G %T@ %l ' \( -type f -exec sha256sum {} \; -o -printf '\n' \) ; find . -xdev -type d -printf '%p %m %U:%G %T@\n') | LC_ALL=C sort; }
paths() { LC_ALL=C comm -3 "$1" "$2" | sed 's/^\t//' | cut -d ' ' -f 1 | sort -u | wc -l; }
for n in 1 2; do
  rm -rf bare; mkdir bare
  "${bare[@]}" --installroot="$here/bare" install "${names[@]}" >/dev/null 2>&1
  list bare >bare.$n
  "$L" layer-compile base.layer.json --no-cache --progress none --output base$n.layer >/dev/null
  list "$volume/$(sed 's/.*"subvolume":"\([^"]*\)".*/\1/' base$n.layer)" >ours.$n
  sleep 2
done
printf '| %s | %s | %s | | | |\n' 'two installs of the same list, 2 s apart: paths that differ' "$(paths ours.1 ours.2)" "$(paths bare.1 bare.2)"
