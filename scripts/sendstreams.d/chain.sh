# Incrementals 0, 1, 2, 3 over what is hard to send: names swapped and turned inside out, hard links, clones, holes, changed kinds.
data=$volume/root/srv/data
mkdir -p "$data"/{folder/inner,other,outer/middle/core,emptied,was-folder}
cd "$data"
"$put" text prose 3000000 1
"$put" random noise 2000000 2
"$put" random table 4194304 3
"$put" random cloned 2097152 4
"$put" text holed 1048576 5
"$put" random shrinks 500000 6
"$put" random grows 5000 7
"$put" random reserved 65536 8
touch nocow && chattr +C nocow
echo left >left && echo right >right && echo core >outer/middle/core/file && echo inner >folder/inner/file && echo cut >other/cut
echo many >name-1 && ln name-1 name-2 && ln name-1 folder/name-3
echo gone >gone && (cd emptied && seq 100 | xargs touch) && echo was >was-file
ln -s here link
setfattr -n user.dropped -v 1 prose && setfattr -n user.changed -v 2 prose
setfacl -m u:1000:rw noise && setfacl -d -m g:1001:rx other
snapshot root root.1
stream step1-v1 root.1 root-v1 -p root.0

mv left t && mv right left && mv t right
mv folder folder.renamed && mv folder.renamed/inner other/moved
mv outer/middle/core core && mv outer core/outer
ln name-2 name-4 && rm -r name-1 gone emptied was-folder was-file && echo now >was-folder && mkdir was-file && echo in >was-file/in
ln -sfn there link
setfattr -x user.dropped prose && setfattr -n user.changed -v 22 prose && setfattr -n user.added -v 3 prose && setfacl -b noise
truncate -s 123456 shrinks && truncate -s 6000000 grows && truncate -s 0 other/cut
cp --reflink=always prose prose.clone
"$put" range noise 4096 65536 part 131072
"$put" range cloned 0 524288 cloned 1048576
fallocate --punch-hole --offset 65536 --length 131072 holed
fallocate --zero-range --offset 524288 --length 65536 holed
fallocate --keep-size --offset 65536 --length 1048576 reserved
"$put" scatter sparse 1 409600000 9
"$put" scatter table 100 4194304 10
"$put" random nocow 100000 11 && echo more >>prose
chmod 4750 noise && chown 1000:1001 table && chown -h 5:6 link && touch -d '2001-02-03 04:05:06.789' other
mknod null c 1 3 && mknod disk b 7 300 && mkfifo pipe && "$put" socket socket && rm ../../odd/fifo
chattr +c was-folder && chattr +i was-file/in && chattr +a name-4
[[ -n $small ]] || rm -r ../../usr/share/doc ../../usr/share/locale
snapshot root root.2
stream step2-v1 root.2 root-v1,step1-v1 -p root.1
stream step2-v2 root.2 root-v1,step1-v1 -p root.1 --proto 2
stream step2-nodata root.2 root-v1,step1-v1 -p root.1 --no-data
stream skip-v2 root.2 root-v1 -p root.0 --proto 2
stream back-v1 root.1 root-v1,step1-v1,step2-v1 -p root.2

chattr -i was-file/in && chattr -a name-4
rm -r folder.renamed sparse && mv prose.clone prose
snapshot root root.3
stream step3-v1 root.3 root-v1,step1-v1,step2-v1 -p root.2
snapshot root root.4
stream same-v1 root.4 root-v1,step1-v1,step2-v1,step3-v1 -p root.3
. "$parts/several.sh"
cd /
