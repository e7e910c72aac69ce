# usage.bash: read by the scripts beside it, whose first comment is their help.

# takes COUNT "$@": prints the help where it is asked for, and refuses options and more than COUNT arguments.
takes() {
  case ${2-} in
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' -- "$0" && exit 0 ;;
  esac
  if [[ ${2-} == -* || $# -gt $(($1 + 1)) ]]; then
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' -- "$0" >&2
    exit 2
  fi
}
