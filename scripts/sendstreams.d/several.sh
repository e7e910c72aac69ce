# Streams of several subvolumes: a clone source beside the parent, and files with more than one stream. After chain.sh.
btrfs -q subvolume snapshot "$volume/root.0" "$volume/other"
cp --reflink=always "$data/table" "$volume/other/table"
"$put" range "$data/noise" 0 1048576 "$volume/other/part" 0
snapshot other other.0
stream clonesource-v1 other.0 root-v1,step1-v1,step2-v1,step3-v1 -p root.0 -c root.3

send() { (cd -- "$volume" && btrfs -q send "$@"); }
send -f "$out/several-v1.stream" -p root.1 root.2 root.3
dump several-v1
record several-v1 root.3 root-v1,step1-v1
send -e -f "$out/several-e-v1.stream" -p root.1 root.2 root.3
dump several-e-v1
record several-e-v1 root.3 root-v1,step1-v1
cat "$out"/{step1-v1,step2-v2,step3-v1}.stream >"$out/several-mixed.stream"
dump several-mixed
record several-mixed root.3 root-v1
