#!/bin/sh
# Boots systemd as process 1 of a guest: in namespaces of its own, over a copy-on-write view of this machine's root.
# What happens in there, packages and users and services, happens nowhere else, and is gone with it.
#
#   guest.sh WORK [WORD...]    WORK is an empty directory; the words are for systemd. Ends with its standard input.
#
# WORK/pid will have the number of systemd as this machine sees it; the guest finds WORK/share at /srv/share. Only
# namespaces, a control group and an overlay of its own are needed; that takes root, and a kernel that permits them.
set -eu
PATH=$PATH:/usr/sbin:/sbin

# As few files as possible are written outside of the mount namespace: WORK's own.
[ -n "${corndog_guest:-}" ] || exec env corndog_guest=1 unshare --mount --propagation private sh "$0" "$@"
work=$1
shift
mkdir -p "$work/cgroup" "$work/disk" "$work/share"
mount -t cgroup2 cgroup2 "$work/cgroup"
group=$work/cgroup/corndog-guest-$$
mkdir "$group"
# A control group goes when it is empty, and a process takes a moment to leave it.
remove_group() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && return
    sleep 0.2
  done
}
trap remove_group EXIT
mount -t tmpfs tmpfs "$work/disk"
mkdir "$work/disk/upper" "$work/disk/work" "$work/disk/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/disk/upper,workdir=$work/disk/work" "$work/disk/root"

# shellcheck disable=SC2016 # These are the inner shell's.
inner='
set -eu
work=$1
shift
# Still the proc of this machine: the number that it knows systemd by.
read -r pid rest </proc/self/stat
cd "$work/disk/root"
# Nothing starts but what the tests start.
rm -rf usr/lib/systemd/system/*.wants etc/systemd/system/*.wants
printf "[Unit]\nDefaultDependencies=no\nWants=systemd-journald.service\n" >etc/systemd/system/guest.target
mkdir -p etc/systemd/journald.conf.d
printf "[Journal]\nStorage=volatile\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\n" >etc/systemd/journald.conf.d/guest.conf
mkdir -p srv/share .old
mount --bind "$work/share" srv/share
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
pivot_root . .old
umount -l /.old
echo "$pid" >/srv/share/pid
exec env -i container=corndog-guest PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
  /lib/systemd/systemd --system --unit=guest.target --show-status=no --log-target=journal --log-level=debug "$@" </dev/null
'
# shellcheck disable=SC2016
sh -c 'echo 0 >"$1/cgroup.procs" && shift && exec unshare --cgroup --pid --net --uts --ipc --mount --fork --kill-child \
  sh -c "$@"' sh "$group" "$inner" sh "$work" "$@" </dev/null &
guest=$!
cat >/dev/null
kill -KILL "$guest" 2>/dev/null || true
wait "$guest" 2>/dev/null || true
