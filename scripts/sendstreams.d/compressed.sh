# Streams with compressed data, of each kind that btrfs has: extents overwritten in their middle, cut short, inline, cloned in part.
for kind in zstd zlib lzo; do
  mount -o "remount,compress-force=$kind" "$volume"
  btrfs -q subvolume create "$volume/$kind"
  cp --archive --reflink=never "$volume/root.0/." "$volume/$kind"
  cd "$volume/$kind"
  "$put" text prose 1500000 21
  "$put" random noise 300000 22
  head -c 3000 prose >inline
  head -c 1000000 /dev/zero >zeros
  sync -f .
  "$put" random block 12288 23
  dd if=block of=prose bs=4096 count=1 seek=10 conv=notrunc status=none
  dd if=block of=prose bs=4096 count=3 seek=70 conv=notrunc status=none
  sync -f .
  truncate -s 1400001 prose
  "$put" range zeros 4096 65536 zeros.part 0
  snapshot "$kind" "$kind.0"
  stream "$kind-v2" "$kind.0" '' --compressed-data
  [[ $kind != zstd ]] || stream zstd-plain-v2 zstd.0 '' --proto 2

  dd if=block of=zeros bs=4096 count=2 seek=100 conv=notrunc status=none
  "$put" range prose 131072 262144 prose.part 0
  "$put" text new 700000 24
  head -c 50000 new >>inline
  rm noise
  snapshot "$kind" "$kind.1"
  stream "$kind-step-v2" "$kind.1" "$kind-v2" -p "$kind.0" --compressed-data
  cd /
done
mount -o remount,compress=no "$volume"
