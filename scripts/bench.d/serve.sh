# Snapshots served: requests a second and bytes a second, against nginx with one worker, without a log, on the same files.
command -v nginx wrk >/dev/null || { echo "serve: nginx and wrk are not both here" >&2; exit 77; }
[[ -d /dev/shm ]] && work=$(mktemp -d /dev/shm/layerbox-bench-serve.XXXXXX) || work=$PWD
trap 'kill $(jobs -p) 2>/dev/null || true; wait; [[ $work == "$PWD" ]] || rm -rf --one-file-system -- "$work"' EXIT

mkdir -p "$work/repo/repodata"
python3 - "$work/repo" <<'PY'
import hashlib, random, sys
packages = ""
for name, size in (("small", 10800), ("large", 13500000)):
    data = random.Random(name).randbytes(size)
    open(f"{sys.argv[1]}/{name}.rpm", "wb").write(data)
    packages += (f'<package type="rpm"><name>{name}</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/>'
                 f'<checksum type="sha256" pkgid="YES">{hashlib.sha256(data).hexdigest()}</checksum><size package="{size}"/><location href="{name}.rpm"/></package>')
primary = f'<metadata xmlns="http://linux.duke.edu/metadata/common" packages="2">{packages}</metadata>'.encode()
open(f"{sys.argv[1]}/repodata/primary.xml", "wb").write(primary)
open(f"{sys.argv[1]}/repodata/repomd.xml", "w").write(
    '<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="primary">'
    f'<checksum type="sha256">{hashlib.sha256(primary).hexdigest()}</checksum><location href="repodata/primary.xml"/></data></repomd>')
PY
"$L" rpm-repo-snapshot import --store "$work/store" "$work/repo" --repo repo --tag now --progress none >/dev/null

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
temporary=$(for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $work/$kind;"; done)
cat >nginx.conf <<NGINX
user $(id -un) $(id -gn); daemon off; worker_processes 1; pid $PWD/nginx.pid; error_log $PWD/error.log;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; $temporary server { listen 127.0.0.1:$port; location / { root $work; } } }
NGINX
nginx -c "$PWD/nginx.conf" -e "$PWD/error.log" &
peer=$!
"$L" rpm-repo-serve --store "$work/store" now --url-file url >/dev/null &
ours=$!
until [[ -s url && -s nginx.pid ]]; do sleep 0.1; done
url=$(python3 -c 'import json; print(json.load(open("url"))["repos"][0]["url"])')
measure_servers=$root/scripts/bench.d/measure-servers
"$measure_servers" 'small files (10.8 KB), 16 connections: `rpm-repo-serve` against nginx, 1 worker' "$ours" "${url}small.rpm" "$peer" "http://127.0.0.1:$port/repo/small.rpm"
"$measure_servers" 'large files (13.5 MB), the same' "$ours" "${url}large.rpm" "$peer" "http://127.0.0.1:$port/repo/large.rpm"
kill "$ours" && wait "$ours"
