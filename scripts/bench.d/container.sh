# What a container costs from start to exit, against the peers that are installed here: bwrap, crun, systemd-nspawn. The same small root and
# the same program, which does nothing; the peers get what comes nearest to ours: all namespaces, /proc, /dev, /tmp. With eight at
# once a row is the time of 200 containers.
[[ $(id -u) -eq 0 ]] || { echo "bench: containers need root" >&2; exit 77; }
[[ -x /bin/busybox ]] || { echo "bench: busybox is missing (package busybox-static)" >&2; exit 77; }

# crun 1.8 refuses the layout with both versions of control groups: in mounts of our own the second one goes.
if [[ -z ${in_own_mounts-} ]]; then
  in_own_mounts=1 exec unshare --mount -- bash -euo pipefail -- "$0"
fi
umount /sys/fs/cgroup/unified 2>/dev/null || true
# systemd-nspawn complains at each end when this is no filesystem in memory.
mkdir -p /run/systemd/nspawn && mount -t tmpfs none /run/systemd/nspawn

mkdir -p root/bin root/{dev,proc,sys,tmp,run,usr,etc,var,root}
cp /bin/busybox root/bin/busybox
ln -s busybox root/bin/true
touch root/etc/os-release
image=$PWD/root

ours=("$L" container-run "$image" /bin/true)
bwrap=(bwrap --unshare-all --die-with-parent --cap-drop ALL --bind "$image" / --proc /proc --dev /dev --tmpfs /tmp --tmpfs /run /bin/true)
nspawn=(systemd-nspawn --quiet --register=no --keep-unit --settings=no --timezone=off --link-journal=no --resolv-conf=off --console=pipe
  --private-network --directory="$image" --as-pid2 /bin/true)

has() {
  command -v "$1" >/dev/null && return
  echo "bench: $1 is missing (package $2): not compared with" >&2
  return 1
}

# eight FILE COMMAND...: a script that runs the command 200 times, eight at a time.
eight() {
  local file=$1
  shift
  printf '#!/bin/sh\nseq 200 | exec xargs --max-procs=8 --max-args=1 sh -c '\''exec %s'\''\n' "$*" >"$file"
  chmod +x "$file"
}
eight ./ours-8 "${ours[@]}"

measure 'container: start and exit against `true` alone' --runs 100 -- "${ours[@]}" -- "$image/bin/true"
if has bwrap bubblewrap; then
  measure 'container: start and exit against `bwrap --unshare-all`' --runs 200 -- "${ours[@]}" -- "${bwrap[@]}"
  measure 'container: in place (`--in-place`) against `bwrap --unshare-all`' --runs 100 -- "$L" container-run "$image" --in-place /bin/true -- "${bwrap[@]}"
  eight ./bwrap-8 "${bwrap[@]}"
  measure 'container: 200, eight at once, against `bwrap`' --runs 7 -- ./ours-8 -- ./bwrap-8
fi
if has crun crun; then
  mkdir -p bundle
  (cd bundle && crun spec && sed -i -e 's/"terminal": true/"terminal": false/' -e 's|"sh"|"/bin/true"|' -e "s|\"rootfs\"|\"$image\"|" config.json)
  # The container's name has to be new each time.
  printf '#!/bin/sh\nexec crun --cgroup-manager=cgroupfs run --bundle %s/bundle bench-$$\n' "$PWD" >crun-run
  chmod +x crun-run
  if ./crun-run >/dev/null 2>&1; then
    measure 'container: start and exit against `crun run`' --runs 100 -- "${ours[@]}" -- ./crun-run
    eight ./crun-8 ./crun-run
    measure 'container: 200, eight at once, against `crun run`' --runs 5 -- ./ours-8 -- ./crun-8
  else
    echo "bench: crun cannot run a container here: $(./crun-run 2>&1 | tail -n 1)" >&2
  fi
fi
if has systemd-nspawn systemd-container; then
  measure 'container: start and exit against `systemd-nspawn`' --runs 30 -- "${ours[@]}" -- "${nspawn[@]}"
  measure 'container: start and exit against `systemd-nspawn` without its filter' --runs 60 -- "${ours[@]}" -- env SYSTEMD_SECCOMP=0 "${nspawn[@]}"
fi

# A whole boot of Debian, a question to the system, and its stop; and a command in a system that runs.
tar=$root/artifacts/debian-systemd.tar
if has systemd-nspawn systemd-container && has nsenter util-linux && "$root/scripts/make-rootfs" --systemd "$tar" >&2; then
  mkdir debian
  tar --extract --file "$tar" --directory debian
  : >debian/etc/machine-id
  # What it takes with nspawn alone: changes in memory as ours are (-x would copy all files where there are no subvolumes), the socket that READY
  # comes through, the number of process 1, and a clean stop.
  cat >nspawn-boot <<'BOOT'
#!/usr/bin/env python3
import os, socket, subprocess, sys, signal
path = f"/tmp/layerbox-bench-{os.getpid()}"
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
p = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--notify-ready=yes", "--settings=no", "--timezone=off", "--link-journal=no",
    "--console=read-only", "--private-network", "--volatile=overlay", "-D", sys.argv[1], "-b"], env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": path},
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
leader = None
while True:
    m = s.recv(4096).decode()
    for line in m.split("\n"):
        if line.startswith("X_NSPAWN_LEADER_PID="):
            leader = int(line.split("=")[1])
    if "READY=1" in m:
        break
subprocess.run(["nsenter", "-t", str(leader), "-a", "--", "systemctl", "is-system-running"], stdout=subprocess.DEVNULL, check=True)
os.kill(leader, signal.SIGRTMIN + 4)
os.unlink(path)
sys.exit(p.wait())
BOOT
  chmod +x nspawn-boot
  measure 'container: boot, command, stop against `systemd-nspawn --volatile=overlay`' --runs 10 -- "$L" container-run "$PWD/debian" --boot systemctl is-system-running -- ./nspawn-boot "$PWD/debian"
  "$L" container-run "$image" --name bench-enter /bin/busybox sleep 1000 &
  running=$!
  until "$L" container-list | grep -q bench-enter; do sleep 0.05; done
  leader=$("$L" container-list | sed -n 's/.*"name":"bench-enter".*"process_1":\([0-9]*\).*/\1/p')
  measure 'container: enter one that runs against `nsenter`' --runs 100 -- "$L" container-enter bench-enter /bin/true -- nsenter --target "$leader" --all /bin/true
  kill -9 "$running"
fi
