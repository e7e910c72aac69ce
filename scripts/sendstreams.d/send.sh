# Sourced by make-sendstreams: how a snapshot is taken, sent and listed. $volume, $out and $parts are set.
put=$parts/put

# snapshot SUBVOLUME TREE: a read-only snapshot, and the listing of it.
snapshot() {
  btrfs -q subvolume snapshot -r "$volume/$1" "$volume/$2"
  "$parts/list-tree" "$volume/$2" >"$out/$2.tree"
}

# dump NAME: what the installed program says of a stream.
dump() { btrfs receive --dump -f "$out/$1.stream" >"$out/$1.dump"; }

# record NAME TREE NEEDS: a stream that was made.
record() {
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$out/list"
  printf 'make-sendstreams: %s: %s bytes\n' "$1" "$(stat --format %s "$out/$1.stream")" >&2
}

# stream NAME TREE NEEDS [OPTION...]: sends the snapshot; clone sources and parents are named by their trees.
stream() {
  local name=$1 tree=$2 needs=$3
  shift 3
  (cd -- "$volume" && btrfs -q send "$@" -f "$out/$name.stream" "$tree")
  case " $* " in *" --no-data "*) tree=- ;; esac
  dump "$name"
  record "$name" "$tree" "$needs"
}
