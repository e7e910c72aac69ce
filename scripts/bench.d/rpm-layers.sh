# Packages in layers: installed by us from a snapshot, against bare dnf from the same repository on disk, onto the same btrfs volume. Both have dnf's metadata ready.
source "$root/scripts/bench.d/rpm-install.bash" rpm-layers one
bare+=(install "${names[@]}")

measure 'base of 70 packages: `layer-compile` against `dnf --installroot`' --runs 5 --prepare "$clean" -- "${ours[@]}" -- "${bare[@]}"
measure 'the same against `dnf`, `sha256sum` of all files and `sync -f`, which a layer is not without' --runs 5 --prepare "$clean" -- "${ours[@]}" \
  -- bash -c '"$@" && find "$0" -xdev -type f -print0 | xargs -0 sha256sum && sync -f "$0"' "$here/bare" "${bare[@]}"

# Not a matter of time: what differs between two installs of the same list, in content, mode, owner or time.
list() { (cd "$1" && find . -xdev ! -type d -printf '%p %y %m %U:%G %T@ %l ' \( -type f -exec sha256sum {} \; -o -printf '\n' \) ; find . -xdev -type d -printf '%p %m %U:%G %T@\n') | LC_ALL=C sort; }
paths() { LC_ALL=C comm -3 "$1" "$2" | sed 's/^\t//' | cut -d ' ' -f 1 | sort -u | wc -l; }
for n in 1 2; do
  rm -rf bare; mkdir bare
  "${bare[@]}" >/dev/null 2>&1
  list bare >bare.$n
  "${ours[@]}" --output base$n.layer >/dev/null
  list "$volume/$(sed 's/.*"subvolume":"\([^"]*\)".*/\1/' base$n.layer)" >ours.$n
  sleep 2
done
printf '| %s | %s | %s | | | |\n' 'two installs of the same list, 2 s apart: paths that differ' "$(paths ours.1 ours.2)" "$(paths bare.1 bare.2)"
