# A large repository served: the first answer and all names, from a store with an index against the same one without.
"$root/scripts/bench.d/make-primary" all.xml.gz
# All its packages are one object, so that what is measured is where they are found.
python3 - <<'PY'
import gzip, hashlib, os, re
for folder in ("objects/sha256", "snapshots", "refs/tags", "tmp"):
    os.makedirs(f"plain/{folder}")
def put(data):
    name = hashlib.sha256(data).hexdigest()
    os.makedirs(f"plain/objects/sha256/{name[:2]}", exist_ok=True)
    open(f"plain/objects/sha256/{name[:2]}/{name}", "wb").write(data)
    return name
digest = put(bytes(10800)).encode()
text = re.sub(rb'(pkgid="YES">)[0-9a-f]{64}', lambda match: match[1] + digest, gzip.open("all.xml.gz").read())
open("names", "wb").write(b"\n".join(re.findall(rb'<location href="([^"]+)"', text)))
data = gzip.compress(text, 6, mtime=0)
primary = put(data)
repomd = put(f"<repomd xmlns='http://linux.duke.edu/metadata/repo'><data type='primary'><checksum type='sha256'>{primary}</checksum><location href='repodata/primary.xml.gz'/></data></repomd>".encode())
snapshot = '{"format":1,"repos":[{"name":"big","repomd":"%s","files":[{"type":"primary","location":"repodata/primary.xml.gz","object":"%s","size":%d}],"packages":60000,"package_bytes":0}]}\n' % (repomd, primary, len(data))
name = hashlib.sha256(snapshot.encode()).hexdigest()
open(f"plain/snapshots/{name}.json", "w").write(snapshot)
open("plain/refs/tags/now", "w").write(name + "\n")
PY
cp -a plain indexed
"$L" rpm-repo-snapshot rebuild --store indexed --progress none
"$root/scripts/bench.d/measure-names" "$L" indexed plain big names
