# Compiling, importing and packaging a tree of 10,000 files on a btrfs volume, against the plain tools that move the same bytes.
[[ $(id -u) == 0 ]] || { echo "compile: needs root: volumes are mounted" >&2; exit 77; }

"$L" volume-make "$PWD/v" --size 20G >made.json
volume=$PWD/v/volume
trap 'cd / && umount "$volume"' EXIT
export LAYERBOX_VOLUME=$volume
here=$volume/bench # the sources lie on the volume, so that both sides can share extents
mkdir "$here"
cd "$here"
"$root/scripts/bench.d/make-tree" tree

cat >big.layer.json <<'JSON'
{"name": "big", "features": [{"item": "install", "source": "tree", "dest": "/tree"}]}
JSON
cat >child.layer.json <<'JSON'
{"name": "child", "parent": "big.layer", "features": [{"item": "text", "dest": "/changed", "text": "one file\n"}]}
JSON
gc="$L subvol-gc --grace 0s"

measure 'install of 10,000 files against `cp -a --reflink=always`' --prepare "$gc; rm -rf copy; sync -f ." \
  -- "$L" layer-compile big.layer.json --no-cache --progress none -- cp -a --reflink=always tree copy
measure 'the same against `cp -a --reflink=always` and `sync -f`' --prepare "$gc; rm -rf copy; sync -f ." \
  -- "$L" layer-compile big.layer.json --no-cache --progress none -- bash -c 'cp -a --reflink=always tree copy && sync -f copy'
rm -rf copy

"$L" layer-compile big.layer.json --output big.layer >/dev/null
parent=$volume/$(sed 's/.*"subvolume":"\([^"]*\)".*/\1/' big.layer)
measure 'child of that tree, one file added, against `btrfs subvolume snapshot` and a walk by `find`' --prepare "$gc; ! [ -e snap ] || btrfs -q subvolume delete snap; sync -f ." \
  -- "$L" layer-compile child.layer.json --no-cache --progress none -- bash -c "btrfs -q subvolume snapshot '$parent' snap && find snap -printf '%p %m %U:%G %s %T@\n' >/dev/null"
btrfs -q subvolume delete snap

"$L" layer-compile child.layer.json --output child.layer >/dev/null
measure 'unchanged child compiled again, against `true`' --runs 30 -- "$L" layer-compile child.layer.json --progress none -- true
measure 'unchanged install of 10,000 files compiled again, against `sha256sum` of them' \
  -- "$L" layer-compile big.layer.json --progress none -- bash -c 'find tree -type f -print0 | xargs -0 sha256sum'

tar -C tree -cf tree.tar --sort=name --numeric-owner .
digest=$(sha256sum <tree.tar | cut -d ' ' -f 1)
measure 'import of a tar of 10,000 files against `tar x`' --prepare "$gc; rm -rf out; mkdir out; sync -f ." \
  -- "$L" layer-import tree.tar --sha256 "$digest" --no-cache --progress none -- tar -C out -xf tree.tar --numeric-owner
measure 'the same against `sha256sum`, `tar x` and `sync -f`' --prepare "$gc; rm -rf out; mkdir out; sync -f ." \
  -- "$L" layer-import tree.tar --sha256 "$digest" --no-cache --progress none \
  -- bash -c 'sha256sum tree.tar && tar -C out -xf tree.tar --numeric-owner && sync -f out'
rm -rf out

measure 'package as tar against `tar c`' --prepare 'rm -f a.tar b.tar' -- "$L" image-package big.layer --format tar --output a.tar --progress none \
  -- tar -C "$parent" -cf b.tar --sort=name --numeric-owner --xattrs .
measure 'package as a canonical send-stream against `btrfs send`' --prepare 'rm -f a.stream b.stream' \
  -- "$L" image-package big.layer --format sendstream --output a.stream --progress none -- btrfs -q send -f b.stream "$parent"
