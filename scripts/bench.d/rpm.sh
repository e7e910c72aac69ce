# RPM packages: a Debian root cut into 50 packages, against rpm, cpio and createrepo_c's parser.
[[ $(id -u) == 0 ]] || { echo "rpm: needs root: rpm installs into a root" >&2; exit 77; }
command -v rpmbuild rpm2cpio cpio >/dev/null || { echo "rpm: rpmbuild, rpm2cpio and cpio are not all here" >&2; exit 77; }
tar=$root/artifacts/debian-rootfs.tar
[[ -e $tar ]] || "$root/scripts/make-rootfs" "$tar" >&2 || { echo "rpm: the root cannot be made here" >&2; exit 77; }
packages=50

mkdir tree home lists rpms
tar -C tree --no-same-owner -xf "$tar" ./usr ./etc
# No name that rpm would take for a pattern, nothing but files and links.
(cd tree && find usr etc \( -type f -o -type l \) -size -20M | LC_ALL=C grep -E '^[A-Za-z0-9._/+@:~-]+$' | LC_ALL=C sort) >all
split --number="l/$packages" --numeric-suffixes --suffix-length=2 all lists/
{
  printf '%s\n' 'Name: bench' 'Version: 1' 'Release: 1' 'Summary: bench' 'License: MIT' '%define _build_id_links none' \
    '%define __os_install_post %{nil}' '%define debug_package %{nil}' '%define _unpackaged_files_terminate_build 0' '%description' 'bench'
  for list in lists/*; do
    sed -i 's|.*|"/&"|' "$list"
    n=${list##*/}
    printf '%s\n' "%package -n bench$n" 'Summary: bench' 'AutoReqProv: no' "%description -n bench$n" bench "%files -n bench$n -f $PWD/$list"
  done
  printf '%s\n' '%install' "mkdir -p %buildroot && cp -a $PWD/tree/. %buildroot"
} >bench.spec
HOME=$PWD/home rpmbuild -bb --quiet --nodeps --define "_topdir $PWD/home" --define "_rpmdir $PWD/rpms" --define '_rpmfilename %%{NAME}.rpm' \
  --define '_binary_payload w19.zstdio' bench.spec >build.log 2>&1 || { tail -3 build.log >&2; exit 1; }
rm -rf tree home/BUILD*
rpms=(rpms/*.rpm)
many=()
for _ in {1..60}; do many+=("${rpms[@]}"); done
tmp=${TMPDIR:-/tmp}/layerbox-bench-rpm.$$
[[ ! -d /dev/shm ]] || tmp=/dev/shm/layerbox-bench-rpm.$$
mkdir "$tmp"
trap 'rm -rf --one-file-system -- "$tmp"' EXIT
clean="rm -rf $tmp/out; mkdir $tmp/out"

measure 'names of 3,000 packages: `rpm-show` against `rpm -qp --nodigest --nosignature`' \
  -- "$L" rpm-show "${many[@]}" -- rpm -qp --nodigest --nosignature --qf '%{NEVRA} %{SUMMARY} %{LICENSE} %{URL}\n' "${many[@]}"
measure 'all digests of 50 packages: `rpm-verify` against `rpm -K --nosignature`' \
  -- "$L" rpm-verify "${rpms[@]}" -- rpm -K --nosignature "${rpms[@]}"
measure 'files of 50 packages, in memory: `rpm-extract` against `rpm --root -i --nodeps --noscripts`' --prepare "$clean" \
  -- "$L" rpm-extract "${rpms[@]}" --into "$tmp/out" --progress none \
  -- bash -c 'exec rpm "$@" 2>/dev/null' rpm --root "$tmp/out" --dbpath /db -i --nodeps --noscripts --nosignature --ignorearch "${rpms[@]}"
measure 'the same against `rpm2cpio | cpio -id` of each' --prepare "$clean" \
  -- "$L" rpm-extract "${rpms[@]}" --into "$tmp/out" --progress none \
  -- bash -c 'cd "$0" && for p; do rpm2cpio "$p" | cpio -id --quiet; done' "$tmp/out" "${rpms[@]/#/$PWD/}"

"$root/scripts/bench.d/make-primary" primary.xml.gz
python=/usr/bin/python3
"$python" -c 'import createrepo_c' 2>/dev/null || { echo "rpm: python3-createrepo-c is not here: primary.xml is not measured" >&2; exit 0; }
cat >parse.py <<'PY'
import createrepo_c, sys
kept = []
createrepo_c.xml_parse_primary(sys.argv[1], do_files=False, pkgcb=lambda p: kept.append((p.name, p.epoch, p.version, p.release, p.arch, p.pkgId, p.location_href, p.size_package, p.time_build, p.rpm_sourcerpm)))
print(len(kept))
PY
measure 'primary.xml of 60,000 packages: `rpm-show` against `createrepo_c` in Python' -- "$L" rpm-show primary.xml.gz -- "$python" parse.py primary.xml.gz
