# A whole Debian root (scripts/make-rootfs: 10,000 files and more, with xattrs, links, devices, a sparse file) against GNU tar.
[[ $(id -u) == 0 ]] || { echo "debian: needs root: volumes are mounted" >&2; exit 77; }
tar=$root/artifacts/debian-rootfs.tar
[[ -e $tar ]] || "$root/scripts/make-rootfs" "$tar" >&2 || { echo "debian: the root cannot be made here" >&2; exit 77; }

"$L" volume-make "$PWD/v" --size 20G >made.json
volume=$PWD/v/volume
trap 'cd / && umount "$volume"' EXIT
export LAYERBOX_VOLUME=$volume
mkdir "$volume/bench"
cd "$volume/bench"
cp --reflink=auto "$tar" debian.tar
digest=$(sha256sum <debian.tar | cut -d ' ' -f 1)
untar=(tar -C out -xf debian.tar --numeric-owner --xattrs --xattrs-include=*)
prepare="$L subvol-gc --grace 0s; rm -rf out; mkdir out; sync -f ."

measure 'import of a Debian root against `tar x --xattrs`' --prepare "$prepare" \
  -- "$L" layer-import debian.tar --sha256 "$digest" --no-cache --progress none -- "${untar[@]}"
measure 'the same against `sha256sum`, `tar x --xattrs` and `sync -f`' --prepare "$prepare" \
  -- "$L" layer-import debian.tar --sha256 "$digest" --no-cache --progress none -- bash -c "sha256sum debian.tar && ${untar[*]@Q} && sync -f out"

"$L" layer-import debian.tar --sha256 "$digest" --name debian --output debian.layer >/dev/null
cat >child.layer.json <<'JSON'
{"name": "child", "parent": "debian.layer", "features": [{"item": "run", "command": ["sh", "-c", "dpkg-query -l >/dev/null"]}]}
JSON
parent=$volume/$(sed 's/.*"subvolume":"\([^"]*\)".*/\1/' debian.layer)
measure 'child of it that runs `dpkg-query -l`, against `systemd-nspawn -x`' --prepare "$L subvol-gc --grace 0s" \
  -- "$L" layer-compile child.layer.json --no-cache --progress none \
  -- bash -c "systemd-nspawn -q -x --register=no --keep-unit --console=pipe --private-network -D '$parent' sh -c 'dpkg-query -l >/dev/null' 2>/dev/null"
