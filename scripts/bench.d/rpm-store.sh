# The store of rpm-repo-snapshot: its index against createrepo_c's parser alone, its digests against openssl on all processors.
python=/usr/bin/python3
"$python" -c 'import createrepo_c' 2>/dev/null || { echo "rpm-store: python3-createrepo-c is not here" >&2; exit 77; }
"$root/scripts/bench.d/make-primary" primary.xml.gz

# A store with a snapshot of one repository, whose packages are not there: the index is made of the metadata alone. And one of 768 MiB.
cat >stores.py <<'PY'
import hashlib, os
def put(store, data):
    name = hashlib.sha256(data).hexdigest()
    folder = f"{store}/objects/sha256/{name[:2]}"
    os.makedirs(folder, exist_ok=True)
    open(f"{folder}/{name}", "wb").write(data)
    return name
for store in ("index", "digests"):
    for folder in ("objects/sha256", "snapshots", "refs/tags", "tmp"):
        os.makedirs(f"{store}/{folder}")
data = open("primary.xml.gz", "rb").read()
primary = put("index", data)
repomd = put("index", f"<repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><checksum type='sha256'>{primary}</checksum><location href='repodata/primary.xml.gz'/></data></repomd>".encode())
snapshot = '{"format":1,"repos":[{"name":"big","repomd":"%s","files":[{"type":"primary","location":"repodata/primary.xml.gz","object":"%s","size":%d}],"packages":60000,"package_bytes":0}]}\n' % (repomd, primary, len(data))
name = hashlib.sha256(snapshot.encode()).hexdigest()
open(f"index/snapshots/{name}.json", "w").write(snapshot)
open("index/refs/tags/big", "w").write(name + "\n")
for _ in range(24):
    put("digests", os.urandom(32 << 20))
PY
"$python" stores.py
cat >parse.py <<'PY'
import createrepo_c, sys
kept = []
createrepo_c.xml_parse_primary(sys.argv[1], do_files=False, pkgcb=lambda p: kept.append((p.name, p.epoch, p.version, p.release, p.arch, p.pkgId, p.location_href, p.size_package, p.time_build, p.rpm_sourcerpm)))
print(len(kept))
PY
measure '60,000 packages parsed into the index: `rebuild` against `createrepo_c` in Python, which only parses' \
  -- "$L" rpm-repo-snapshot rebuild --store index --progress none -- "$python" parse.py primary.xml.gz
measure '60,000 packages shown from the index: `show` against the same' \
  -- "$L" rpm-repo-snapshot show --store index big -- "$python" parse.py primary.xml.gz
readarray -t objects < <(find digests/objects -type f)
measure 'a store of 768 MiB: `verify` against `openssl dgst -sha256` on all processors' \
  -- "$L" rpm-repo-snapshot verify --store digests --progress none \
  -- bash -c 'printf "%s\n" "$@" | xargs -n 12 -P "$(nproc)" openssl dgst -sha256' openssl "${objects[@]}"
