# A root filesystem, and names, attributes, times and devices that are hard on programs.
btrfs -q subvolume create "$volume/root"
if [[ -n $small ]]; then
  mkdir "$volume/root/etc"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$volume/root/etc/passwd"
  "$scripts/bench.d/make-tree" "$volume/root/usr" 400 2>/dev/null
else
  rootfs=$scripts/../artifacts/debian-rootfs.tar
  [[ -e $rootfs ]] || "$scripts/make-rootfs" "$rootfs" 9>&-
  tar --extract --file "$rootfs" --directory "$volume/root" --numeric-owner --xattrs --xattrs-include '*'
fi
"$parts/odd-names" "$volume/root/odd"
snapshot root root.0

case ,$groups, in
  *,root,*)
    stream root-v1 root.0 ''
    stream root-v2 root.0 '' --proto 2
    stream root-nodata root.0 '' --no-data
    "$parts/restart-send" "$volume/root.0" "$out/root-restarted.stream"
    record root-restarted root.0 ''
    ;;
  *,chain,*) stream root-v1 root.0 '' ;;
esac
