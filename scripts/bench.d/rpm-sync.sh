# Repositories fetched from nginx on this machine, against dnf reposync.
command -v nginx createrepo_c rpmbuild openssl >/dev/null && dnf --releasever=1 reposync --help >/dev/null 2>&1 ||
  { echo "rpm-sync: nginx, createrepo_c, rpmbuild and dnf with its plugins (dnf-plugins-core) are not all here" >&2; exit 77; }
repos=${REPOS:-$PWD/repos} # REPOS=DIR keeps them for the next run
[[ -d $repos/large/repodata ]] || "$root/scripts/bench.d/make-repos" "$repos"

port=$((20000 + $$ % 20000))
cat >nginx.conf <<CONF
worker_processes 1;
pid $PWD/nginx.pid;
error_log $PWD/error.log;
events {}
http {
  access_log $PWD/access.log;
  sendfile on;
  client_body_temp_path $PWD/nginx-tmp; proxy_temp_path $PWD/nginx-tmp; fastcgi_temp_path $PWD/nginx-tmp; uwsgi_temp_path $PWD/nginx-tmp; scgi_temp_path $PWD/nginx-tmp;
  server { listen 127.0.0.1:$port; root $repos; }
}
CONF
chmod 755 . # the worker is another user's
nginx -e "$PWD/error.log" -c "$PWD/nginx.conf" -g 'daemon off;' &
nginx=$!
trap 'kill "$nginx" 2>/dev/null; wait "$nginx" 2>/dev/null || true' EXIT
for _ in {1..100}; do [[ -s nginx.pid ]] && break; sleep 0.1; done
url=http://127.0.0.1:$port

ours=("$L" rpm-repo-snapshot sync --store "$PWD/store" --progress none --repo)
peer=(dnf -q --releasever=1 --setopt=reposdir=/dev/null "--setopt=cachedir=$PWD/cache" "--setopt=logdir=$PWD/log" --setopt=keepcache=0 --setopt=max_parallel_downloads=8 --repo x reposync --download-metadata --norepopath -p "$PWD/mirror")
clean="rm -rf $PWD/store $PWD/mirror $PWD/cache"

measure '2,000 small packages: `rpm-repo-snapshot sync` against `dnf reposync`' --runs 5 --prepare "$clean" -- "${ours[@]}" "x=$url/t0" -- "${peer[@]}" "--repofrompath=x,$url/t0"
measure '120 packages, 569 MB: the same' --runs 3 --prepare "$clean" -- "${ours[@]}" "x=$url/large" -- "${peer[@]}" "--repofrompath=x,$url/large"
eval "$clean"
measure '2,000 small packages again, nothing new: the same' --runs 11 -- "${ours[@]}" "x=$url/t0" -- "${peer[@]}" "--repofrompath=x,$url/t0"

before=$(wc -l <access.log)
"${ours[@]}" "x=$url/t0" >/dev/null
echo "rpm-sync: nothing new: $(($(wc -l <access.log) - before)) request" >&2
before=$(wc -l <access.log)
"${ours[@]}" "x=$url/t1" >/dev/null
sent=$(tail -n "+$((before + 1))" access.log | awk '{ sum += $10 } END { print sum }')
new=$(find "$repos/t1" -type f \( -name '*-2.rpm' -o -path '*/repodata/*' \) -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
echo "rpm-sync: half of the packages new: $sent bytes fetched, $new bytes are new" >&2
