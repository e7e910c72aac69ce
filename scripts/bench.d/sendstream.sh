# Send-streams of the kernel (scripts/make-sendstreams) against btrfs-progs, tar and zstd on the same files. SENDSTREAMS names their folder,
# which is made when it is not there; BIG_MIB=16 TINY_FILES=5000 make a small one. What reads only goes to /dev/null, on both sides.
[[ $(id -u) == 0 ]] || { echo "sendstream: needs root: streams are received" >&2; exit 77; }
streams=${SENDSTREAMS:-$root/artifacts/sendstreams}
"$root/scripts/make-sendstreams" "$streams" >&2 || exit 77
streams=$(realpath "$streams")
dump=(btrfs receive --dump -f)

for name in big-v1 root-v1 zstd-v2 tiny-v1; do
  file=$streams/$name.stream
  size=$(($(stat --format %s "$file") >> 20))
  cat "$file" >/dev/null
  measure "verify $name, $size MiB, against \`btrfs receive --dump\`" -- "$L" sendstream-check --frames-only "$file" -- "${dump[@]}" "$file"
  measure "the same, mapped" -- "$L" sendstream-check --frames-only --mapped "$file" -- "${dump[@]}" "$file"
  measure "the same, mapped, 2 threads" -- "$L" sendstream-check --frames-only --mapped --threads 2 "$file" -- "${dump[@]}" "$file"
  measure "text of $name against \`btrfs receive --dump\`" -- "$L" sendstream-parse --format text "$file" -- "${dump[@]}" "$file"
done
measure 'JSON of tiny-v1 against `btrfs receive --dump`' -- "$L" sendstream-parse "$streams/tiny-v1.stream" -- "${dump[@]}" "$streams/tiny-v1.stream"
measure 'counts of big-v1, unverified, mapped, against `btrfs receive --dump`' \
  -- "$L" sendstream-parse --format stat --no-verify --mapped "$streams/big-v1.stream" -- "${dump[@]}" "$streams/big-v1.stream"
measure 'root-v1 as version 2 with zstd against `zstd -3`' -- "$L" sendstream-rewrite --proto 2 --compress zstd "$streams/root-v1.stream" -- zstd -3 -T1 -q -c "$streams/root-v1.stream"
measure 'the same against `zstd -b3 -B128K`' -- "$L" sendstream-rewrite --proto 2 --compress zstd "$streams/root-v1.stream" -- zstd -b3 -i0 -B131072 -q "$streams/root-v1.stream"

truncate --size 40G image
mkfs.btrfs --quiet image >/dev/null
mkdir volume
mount -o loop,noatime image volume
trap 'umount volume' EXIT
for kind in root big tiny; do
  file=$streams/$kind-v1.stream
  # GNU tar reads nothing when it sees that it writes to /dev/null.
  measure "$kind-v1 as a tar against \`btrfs receive\` and \`tar\`" --runs 3 --prepare-peer '[ ! -e volume/*.0 ] || btrfs -q subvolume delete -c volume/*.0' \
    -- bash -c 'set -o pipefail; "$0" sendstream-tar --skip-sockets "$1" | cat' "$L" "$file" \
    -- bash -c 'set -o pipefail; btrfs -q receive -f "$1" volume && tar --create --xattrs --xattrs-include "*" --numeric-owner --directory volume/*.0 . 2>/dev/null | cat' "$L" "$file"
  btrfs -q subvolume delete -c volume/*.0
done

for name in root-v1 step1-v1; do btrfs -q receive -f "$streams/$name.stream" volume; done
measure 'canonical stream of root.1 against `btrfs send`' -- "$L" sendstream-make --canonical volume/root.1 -- btrfs -q send -f /dev/null volume/root.1
measure 'the same, incremental' -- "$L" sendstream-make --canonical --parent volume/root.0 volume/root.1 -- btrfs -q send -f /dev/null -p volume/root.0 volume/root.1

measure 'tree of tiny-v1 against `btrfs receive --dump`' -- "$L" sendstream-parse --format tree "$streams/tiny-v1.stream" -- "${dump[@]}" "$streams/tiny-v1.stream"
