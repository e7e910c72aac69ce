# A layer installed where there are 60,000 packages to choose from: by us, whose cache of a view is warm, against bare dnf with a cold cache, which is what a build
# machine has, and with a warm one.
source "$root/scripts/bench.d/rpm-install.bash" rpm-large both
mkdir -p big/repodata
"$root/scripts/bench.d/make-primary" primary.xml.gz
# The second repository has metadata only: nothing is installed from it. Its packages are one object, as far as the store knows.
python3 - <<'PY'
import glob, gzip, hashlib, json, os, re
def put(data):
    name = hashlib.sha256(data).hexdigest()
    os.makedirs(f"store/objects/sha256/{name[:2]}", exist_ok=True)
    with open(f"store/objects/sha256/{name[:2]}/{name}", "wb") as file:
        file.write(data)
    return name
package = put(bytes(10800)).encode()
text = re.sub(rb'(pkgid="YES">)[0-9a-f]{64}', lambda match: match[1] + package, gzip.open("primary.xml.gz").read())
data = gzip.compress(text, 6, mtime=0)
primary = put(data)
repomd = (f"<repomd xmlns='http://linux.duke.edu/metadata/repo'><revision>1</revision><data type='primary'><checksum type='sha256'>{primary}</checksum>"
          f"<open-checksum type='sha256'>{hashlib.sha256(text).hexdigest()}</open-checksum><size>{len(data)}</size><open-size>{len(text)}</open-size><timestamp>1</timestamp>"
          "<location href='repodata/primary.xml.gz'/></data></repomd>").encode()
open("big/repodata/primary.xml.gz", "wb").write(data)
open("big/repodata/repomd.xml", "wb").write(repomd)
[made] = glob.glob("store/snapshots/*.json")
snapshot = json.load(open(made))
snapshot["repos"].insert(0, {"name": "big", "repomd": put(repomd), "files": [{"type": "primary", "location": "repodata/primary.xml.gz", "object": primary, "size": len(data)}],
                             "packages": 60000, "package_bytes": 0})
text = json.dumps(snapshot, separators=(",", ":")) + "\n"
name = hashlib.sha256(text.encode()).hexdigest()
open(f"store/snapshots/{name}.json", "w").write(text)
open("store/refs/tags/both", "w").write(name + "\n")
PY
"$L" rpm-repo-snapshot rebuild --store store --progress none
bare+=(--repofrompath="big,file://$here/big" --setopt=big.gpgcheck=0 --repo=big install "${names[@]}")

measure '70 of 60,000 packages: `layer-compile` against `dnf --installroot`, its cache cold' --runs 3 --prepare "$clean" --prepare-peer 'rm -rf dnf-cache' -- "${ours[@]}" -- "${bare[@]}"
measure 'the same, its cache warm' --runs 3 --prepare "$clean" -- "${ours[@]}" -- "${bare[@]}"
