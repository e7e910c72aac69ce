# Very many small files; then every tenth touched, every tenth removed, all folders renamed.
files=${TINY_FILES:-${small:+5000}} files=${files:-200000}
btrfs -q subvolume create "$volume/tiny"
"$parts/many-files" "$volume/tiny" "$files"
snapshot tiny tiny.0
stream tiny-v1 tiny.0 ''
stream tiny-v2 tiny.0 '' --proto 2
find "$volume/tiny" -name '*7' -type f -exec touch -d 2020-01-01 {} +
find "$volume/tiny" -name '*9' -type f -delete
for folder in "$volume"/tiny/*/; do mv -- "$folder" "${folder%/}.renamed"; done
snapshot tiny tiny.1
stream tiny-step-v1 tiny.1 tiny-v1 -p tiny.0
