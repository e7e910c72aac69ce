# A few big files: noise, text, both, a clone of one, a sparse table.
mebibytes=${BIG_MIB:-${small:+16}} mebibytes=${mebibytes:-400}
btrfs -q subvolume create "$volume/big"
cd "$volume/big"
"$put" random noise-1 $((mebibytes << 20)) 31
"$put" random noise-2 $((mebibytes << 20)) 32
"$put" text prose $((mebibytes << 19)) 33
"$put" random mixed $((mebibytes << 18)) 34
cat prose >>mixed
cp --reflink=always noise-1 noise-1.clone
"$put" scatter table $((mebibytes * 16)) $((mebibytes << 20)) 35
cd /
snapshot big big.0
stream big-v1 big.0 ''
stream big-v2 big.0 '' --proto 2
