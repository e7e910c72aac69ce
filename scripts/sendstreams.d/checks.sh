# Sourced by check-sendstreams. $name, $tree and $needs are of the list of streams; a check works in an empty folder and fails, or not.
checks=(plain text copy tree tar apply normalised proto_1 proto_2 zstd zlib none repaired canonical canonical_step)

# applies CHECK: says yes when the check has a meaning for the stream.
applies() {
  case $1:$name in
    text:*-restarted | repaired:*-restarted) [[ $1 != text ]] || return 0 ;;
    *:*-restarted | repaired:*) return 0 ;;
    text:* | copy:*) ;;
    # It goes back to a subvolume that the same input has made already, and one folder cannot have both.
    normalised:back-*) return 0 ;;
    canonical_step:*) [[ $tree != - && -n $needs ]] || return 0 ;;
    *) [[ $tree != - ]] || return 0 ;;
  esac
  echo yes
}

# chain: the files of the streams up to this one, in the order in which they are received.
chain() { printf '%s.stream\n' ${needs//,/ } "$name" | sed "s|^|$streams/|"; }

# same FILE FILE: two listings are equal; else says where they are not.
same() {
  cmp --quiet "$1" "$2" || {
    jq --compact-output --sort-keys . "$1" >"$1.sorted"
    jq --compact-output --sort-keys . "$2" >"$2.sorted"
    diff "$1.sorted" "$2.sorted"
  }
}

# is_tree FOLDER [FILTER]: what is in the folder is what was sent; both listings go through the filter.
is_tree() {
  "$parts/list-tree" "$1" | ${2-cat} >found
  ${2-cat} <"$streams/$tree.tree" >sent
  same sent found
}

# btrfs receive leaves the root with the time of the last change in it.
without_root_time() { sed '1s/,"mtime":{[^}]*}//'; }

# received COMMAND...: each stream of the chain goes through the command, and what comes out is received; the last subvolume is what was sent.
received() {
  local file
  for file in $(chain); do
    "$@" "$file" >stream
    receive
  done
  is_tree "$(newest)" without_root_time
}

# receive: what is in the file "stream", in a folder of its own, for subvolumes of one name may follow each other.
receive() {
  local folder
  folder=$(mktemp -d "$volume/received.XXXXXX")
  btrfs -q receive -f stream "$folder"
}

# newest [N]: the subvolume that was made last, or N before it.
newest() { btrfs subvolume list --sort=rootid "$volume" | tail -n $((1 + ${1-0})) | sed "1!d;s|.* path |$volume/|"; }

clear_away() {
  find "$volume" -mindepth 2 -maxdepth 2 -inum 256 -exec btrfs -q subvolume delete {} +
  rm -rf --one-file-system -- "$work"/{report,found,sent,stream}* "${volume:?}"/*
}

# Not of ours: were this to fail, the corpus would be wrong.
check_plain() { received cat; }
check_text() { "$L" sendstream-parse --format text --first "$streams/$name.stream" | cmp - "$streams/$name.dump"; }
check_copy() { "$L" sendstream-rewrite "$streams/$name.stream" | cmp - "$streams/$name.stream"; }
check_tree() {
  "$L" sendstream-parse --format tree-json $(chain) >found
  same "$streams/$tree.tree" found
}

rewrite() { received "$L" sendstream-rewrite "$@"; }
check_normalised() {
  "$L" sendstream-rewrite --normalise $(chain) >stream
  receive
  is_tree "$(newest)"
}
check_proto_1() { rewrite --proto 1; }
check_proto_2() { rewrite --proto 2; }
check_zstd() { rewrite --compress zstd; }
check_zlib() { rewrite --compress zlib; }
check_none() { rewrite --compress none; }
check_repaired() { rewrite --repair; }

# A tar has no sockets.
without_sockets() { grep --invert-match '"type":"socket"'; }
check_tar() {
  mkdir "$volume/unpacked"
  "$L" sendstream-tar --skip-sockets $(chain) | tar --extract --directory "$volume/unpacked" --numeric-owner --same-permissions --xattrs --xattrs-include '*'
  is_tree "$volume/unpacked" without_sockets
}
check_apply() {
  mkdir "$volume/applied"
  "$L" sendstream-apply "$volume/applied" $(chain)
  is_tree "$volume/applied"
}

# A canonical stream gives the root its time, too.
check_canonical() {
  received cat
  local from
  from=$(newest)
  "$L" sendstream-make --canonical "$from" >stream
  receive
  is_other "$from"
}
check_canonical_step() {
  received cat
  local from parent
  from=$(newest) parent=$(newest 1)
  "$L" sendstream-make --canonical "$parent" >stream
  receive
  "$L" sendstream-make --canonical --parent "$parent" "$from" >stream
  receive
  is_other "$from"
}

# is_other FOLDER: the newest subvolume has what is in the folder.
is_other() {
  "$parts/list-tree" "$1" >sent
  "$parts/list-tree" "$(newest)" >found
  same sent found
}
